#include "core/relay.h"

/* A connection's share of a turn: 4 reads or 512 kB, then others get theirs. */
enum { SHARE_READS = 4, SHARE_BYTES = 512 * 1024 };

static enum relay_result finish(struct relay *r)
{
    const struct msg *t =
        r->trailers && r->rules.trailers && r->rules.trailers->nfields ? r->rules.trailers : NULL;
    switch (leg_finish(r->to, t)) {
    case SOCK_OK: return RELAY_DONE;
    case SOCK_AGAIN: return RELAY_WAIT_SINK;
    default: return RELAY_SINK_BROKEN;
    }
}

/* Nothing is left to pass on. What waits behind the sink goes out before anybody sleeps: bytes that
 * are ready are never held back (event streams). */
static enum relay_result wait_for_source(struct relay *r)
{
    switch (conn_flush(r->to->conn)) {
    case SOCK_OK: return RELAY_WAIT_SOURCE;
    case SOCK_AGAIN: return RELAY_WAIT_SINK;
    default: return RELAY_SINK_BROKEN;
    }
}

/* Passes a run on; RELAY_DONE here means: go on. */
static enum relay_result pass_on(struct relay *r, struct slice run, enum fault *fault)
{
    if (r->from->in.total + run.n > r->most) {
        *fault = FAULT_body_too_large;
        return RELAY_SOURCE_FAULT;
    }
    size_t taken;
    enum sock_result w = leg_write(r->to, run, &taken);
    leg_took(r->from, taken);
    if (w == SOCK_ERROR)
        return RELAY_SINK_BROKEN;
    return w == SOCK_AGAIN ? RELAY_WAIT_SINK : RELAY_DONE;
}

/* Reads once; RELAY_DONE here means: go on. */
static enum relay_result read_on(struct relay *r)
{
    struct conn *c = r->from->conn;
    if (c->eof || c->read_failed) {
        /* A failed write takes a reset away, and an end is read in its place. */
        if (!c->read_failed && !c->write_failed && leg_ended(r->from) == BODY_END)
            return RELAY_DONE;
        return RELAY_SOURCE_FAULT;
    }
    if (!conn_readable(c))
        return wait_for_source(r);
    switch (conn_fill(c)) {
    case SOCK_AGAIN: return wait_for_source(r);
    default: return RELAY_DONE;
    }
}

static enum relay_result turn(struct relay *r, enum fault *fault)
{
    u32 reads = 0;
    u64 start = r->from->in.total;
    *fault = FAULT_NONE;
    if (r->to->out.done)
        return finish(r);
    for (;;) {
        struct slice run;
        enum relay_result result;
        switch (leg_next(r->from, &r->rules, &run, fault)) {
        case BODY_RUN: result = pass_on(r, run, fault); break;
        case BODY_END: return finish(r);
        case BODY_FAULT: return RELAY_SOURCE_FAULT;
        default:
            if (reads++ >= SHARE_READS || r->from->in.total - start >= SHARE_BYTES)
                return RELAY_YIELD;
            result = read_on(r);
        }
        if (result != RELAY_DONE)
            return result;
    }
}

enum relay_result relay_turn(struct relay *r, enum fault *fault)
{
    enum relay_result result = turn(r, fault);
    r->last = (u8)result;
    return result;
}
