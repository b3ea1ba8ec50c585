#include "core/exchange/relay.h"

/* Its share of a turn: 4 reads or 512 kB, then others get theirs. */
enum { SHARE_READS = 4, SHARE_BYTES = 512 * 1024 };

void relay_drop_tee(struct relay *r, enum fault why)
{
    if (r->tee.ops == NULL)
        return;
    r->tee.ops->drop(r->tee.self, why);
    r->tee.ops = NULL;
}

static const struct msg *trailers_of(struct source *s)
{
    return s->ops->trailers ? s->ops->trailers(s->self) : NULL;
}

static void finish_tee(struct relay *r, const struct msg *trailers)
{
    if (r->tee.ops->finish(r->tee.self, trailers) == FLOW_OK)
        r->tee.ops = NULL;
    else
        relay_drop_tee(r, FAULT_NONE);
}

static enum relay_result sink_result(enum flow f, enum relay_result good)
{
    return f == FLOW_OK ? good : f == FLOW_WAIT ? RELAY_WAIT_SINK : RELAY_SINK_BROKEN;
}

static enum relay_result finish(struct relay *r)
{
    const struct msg *trailers = trailers_of(&r->from);
    if (unlikely(r->tee.ops))
        finish_tee(r, trailers);
    return sink_result(r->to.ops->finish(r->to.self, r->trailers ? trailers : NULL), RELAY_DONE);
}

/* Nothing is left to pass on. What waits behind the sink goes out before anybody sleeps: bytes that
 * are ready are never held back (event streams). */
static enum relay_result wait_for_source(struct relay *r)
{
    enum flow f = r->to.ops->flush ? r->to.ops->flush(r->to.self) : FLOW_OK;
    return sink_result(f, RELAY_WAIT_SOURCE);
}

/* What the first sink took, and no more: so both have the same at any time. */
static void copy(struct relay *r, struct slice run)
{
    size_t taken = 0;
    if (run.n && (r->tee.ops->put(r->tee.self, run, &taken) != FLOW_OK || taken != run.n))
        relay_drop_tee(r, FAULT_NONE);
}

/* Passes a run on; RELAY_DONE here means: go on. */
static enum relay_result pass_on(struct relay *r, struct slice run)
{
    size_t taken = 0;
    if (run.n > SHARE_BYTES)
        run.n = SHARE_BYTES;
    if (r->moved + run.n > r->most)
        return RELAY_TOO_LARGE;
    enum flow f = r->to.ops->put(r->to.self, run, &taken);
    if (unlikely(r->tee.ops))
        copy(r, (struct slice){ run.p, taken });
    r->from.ops->took(r->from.self, taken);
    r->moved += taken;
    return sink_result(f, RELAY_DONE);
}

/* Is what comes next in a file, and may the sink take it from there? */
static bool is_in_file(struct relay *r, struct extent *e)
{
    return r->from.ops->extent && r->to.ops->put_file && !r->bytes_only && r->tee.ops == NULL &&
           r->from.ops->extent(r->from.self, e);
}

/* As pass_on. */
static enum relay_result pass_file_on(struct relay *r, struct extent e)
{
    size_t taken = 0;
    if (e.n > SHARE_BYTES)
        e.n = SHARE_BYTES;
    if (r->moved + e.n > r->most)
        return RELAY_TOO_LARGE;
    enum flow f = r->to.ops->put_file(r->to.self, &e, &taken);
    r->from.ops->took(r->from.self, taken);
    r->moved += taken;
    r->bytes_only = f == FLOW_END;
    return f == FLOW_END ? RELAY_DONE : sink_result(f, RELAY_DONE);
}

/* Reads once; RELAY_DONE here means: go on. */
static enum relay_result read_on(struct relay *r)
{
    switch (r->from.ops->fill(r->from.self)) {
    case FLOW_WAIT: return wait_for_source(r);
    case FLOW_FAULT: return RELAY_SOURCE_FAULT;
    default: return RELAY_DONE;
    }
}

static enum relay_result turn(struct relay *r)
{
    u32 reads = 0;
    u64 start = r->moved;
    for (;;) {
        struct slice run;
        struct extent e;
        enum relay_result result;
        bool shared_out = r->moved - start >= SHARE_BYTES;
        if (unlikely(is_in_file(r, &e)))
            result = shared_out ? RELAY_YIELD : pass_file_on(r, e);
        else
            switch (r->from.ops->peek(r->from.self, &run)) {
            case FLOW_OK: result = shared_out ? RELAY_YIELD : pass_on(r, run); break;
            case FLOW_END: return finish(r);
            case FLOW_FAULT: return RELAY_SOURCE_FAULT;
            default: result = shared_out || reads++ >= SHARE_READS ? RELAY_YIELD : read_on(r);
            }
        if (result != RELAY_DONE)
            return result;
    }
}

enum relay_result relay_turn(struct relay *r)
{
    enum relay_result result = turn(r);
    r->last = (u8)result;
    return result;
}
