/*
 * Each direction reads from one end and writes to the other, and knows when its source has ended,
 * so that a half-close travels through. It copies what its source holds and, when the flow has
 * proved long, moves to a 1 MB pipe.
 *
 * Lifetime: reserved by an exchange, gone when both directions have ended, one end broke, or time
 * is up. An idle tunnel holds no buffer: its two ends and this struct, about 700 bytes, and its
 * log record, which points to nothing of a configuration.
 */
#include "core/exchange/tunnel_inside.h"

#include <stdlib.h>

#include "core/exchange/account.h"
#include "core/common/snapshot.h"
#include "io/loop.h"

enum {
    LONG_FLOW = 1 << 20,
    LARGE_RUN = 1 << 16, /* a read of more is worth a pipe: less is copied for less */
    SHARE_BYTES = 2 << 20,
    SHARE_READS = 8,
    PIPE_REST_MS = 2000,
    STILL_MS = 2000, /* without a byte for so long: nothing is under way */
};

void tunnel_arm(struct tunnel *t)
{
    const struct timeouts_conf *limit = &t->worker->snapshot->conf.timeouts;
    u64 now = worker_ms(t->worker), at = TIMER_NEVER;
    if (limit->tunnel_idle != UINT32_MAX)
        at = t->active_ms + limit->tunnel_idle;
    if (limit->tunnel_lifetime != UINT32_MAX && t->born_ms + limit->tunnel_lifetime < at)
        at = t->born_ms + limit->tunnel_lifetime;
    if (t->ends_ms && t->ends_ms < at)
        at = t->ends_ms;
    if ((t->direction[0].spliced || t->direction[1].spliced) && now + PIPE_REST_MS < at)
        at = now + PIPE_REST_MS;
    timer_set(&t->worker->loop.wheel, &t->timer, at);
}

static void touch(struct tunnel *t)
{
    t->active_ms = worker_ms(t->worker);
    tunnel_arm(t);
}

u32 tunnel_size(void)
{
    return sizeof(struct tunnel);
}

static void close_pipe(struct tunnel *t, struct direction *h)
{
    if (!h->spliced)
        return;
    pipe_close(&h->pipe);
    h->spliced = false;
    atomic_fetch_sub(&t->worker->engine->pipes, 1);
}

static void end(struct tunnel *t, enum fault f)
{
    struct worker *w = t->worker;
    struct access_record *r = t->record;
    r->bytes_in += t->direction[0].moved;
    r->bytes_out += t->direction[1].moved;
    r->total_us = (worker_ms(w) - t->born_ms) * 1000 + r->first_us;
    if (f != FAULT_NONE)
        r->fault = f;
    stat_sub(w->stats, STAT_tunnels_open, 1);
    close_pipe(t, &t->direction[0]);
    close_pipe(t, &t->direction[1]);
    timer_clear(&w->loop.wheel, &t->timer);
    account_tunnel(w, r);
    for (unsigned i = 0; i < 2; i++)
        t->end[i].ops->close(t->end[i].self);
    slab_give(&w->tunnels, t);
}

void tunnel_end_abruptly(struct tunnel *t, enum fault f)
{
    for (unsigned i = 0; i < 2; i++)
        t->end[i].ops->out.drop(t->end[i].self, f);
    end(t, f);
}

void tunnel_end_broken(struct tunnel *t)
{
    tunnel_end_abruptly(t, FAULT_NONE);
}

static enum flow flush(const struct tunnel_end *e)
{
    return e->ops->out.flush(e->self);
}

/* Something of this direction is on its way, or its sink waits for nothing but the end. */
static bool is_under_way(struct tunnel *t, unsigned i)
{
    const struct direction *h = &t->direction[i];
    const struct tunnel_end *from = &t->end[i];
    struct slice run;
    if (h->ended)
        return false;
    if (h->pipe.held || t->direction[1 - i].ended || flush(&t->end[1 - i]) != FLOW_OK ||
        from->ops->in.peek(from->self, &run) == FLOW_OK)
        return true;
    return worker_ms(t->worker) < t->active_ms + STILL_MS;
}

void tunnel_end_early(struct tunnel *t, enum fault f)
{
    for (unsigned i = 0; i < 2; i++)
        if (is_under_way(t, i))
            t->end[1 - i].ops->out.drop(t->end[1 - i].self, f);
    end(t, f);
}

static void note_moved(struct tunnel *t, struct direction *h, size_t n)
{
    bool from_client = h == &t->direction[0];
    h->moved += n;
    stat_add(t->worker->stats,
             from_client ? STAT_tunnel_bytes_from_client : STAT_tunnel_bytes_to_client, n);
}

/* To a pipe, if the flow is worth one that is to be had. */
static void promote(struct tunnel *t, unsigned i, size_t run)
{
    struct direction *h = &t->direction[i];
    const struct tunnel_end *from = &t->end[i], *to = &t->end[1 - i];
    bool worth_it = h->moved >= LONG_FLOW && run > LARGE_RUN && !h->no_pipe;
    if (!worth_it || !from->ops->whole(from->self) || !to->ops->whole(to->self))
        return;
    if (atomic_fetch_add(&t->worker->engine->pipes, 1) >= PIPE_MOST || !pipe_open(&h->pipe)) {
        atomic_fetch_sub(&t->worker->engine->pipes, 1);
        h->no_pipe = true;
        return;
    }
    h->spliced = true;
    stat_add(t->worker->stats, STAT_tunnel_spliced_total, 1);
}

enum direction_result { DIRECTION_WAIT, DIRECTION_YIELD, DIRECTION_BROKEN };

static enum direction_result waits_or_broken(enum flow f)
{
    return f == FLOW_FAULT ? DIRECTION_BROKEN : DIRECTION_WAIT;
}

/* The source has ended and all of it has been taken. When the other direction has ended too,
 * closing shows it; an end that the sink cannot take yet is passed on when it takes more. */
static enum direction_result pass_end(struct tunnel *t, unsigned i)
{
    const struct tunnel_end *to = &t->end[1 - i];
    enum flow f = t->direction[1 - i].ended ? flush(to) : to->ops->out.finish(to->self, NULL);
    if (f == FLOW_OK)
        t->direction[i].ended = true;
    return waits_or_broken(f);
}

static enum direction_result copy_direction(struct tunnel *t, unsigned i);

/* The pipe is empty, so nothing is lost by going back to copying, and a read tells whether this is
 * the end or splice could not go on. */
static enum direction_result leave_pipe(struct tunnel *t, unsigned i)
{
    close_pipe(t, &t->direction[i]);
    t->direction[i].no_pipe = true;
    return copy_direction(t, i);
}

static enum direction_result splice_direction(struct tunnel *t, unsigned i)
{
    struct direction *h = &t->direction[i];
    const struct tunnel_end *from = &t->end[i], *to = &t->end[1 - i];
    struct io *source = from->ops->whole(from->self), *sink = to->ops->whole(to->self);
    size_t n, share = 0;
    while (share < SHARE_BYTES) {
        if (h->pipe.held) {
            if (!(sink->ready & IO_OUT))
                return DIRECTION_WAIT;
            enum sock_result r = pipe_drain(&h->pipe, sink, &n);
            if (r != SOCK_OK)
                return r == SOCK_AGAIN ? DIRECTION_WAIT : DIRECTION_BROKEN;
            to->ops->spliced(to->self, 0, n);
            share += n;
            note_moved(t, h, n);
            continue;
        }
        if (!(source->ready & IO_IN))
            return DIRECTION_WAIT;
        switch (pipe_fill(&h->pipe, source, &n)) {
        case SOCK_OK: from->ops->spliced(from->self, n, 0); break;
        case SOCK_AGAIN: return DIRECTION_WAIT;
        case SOCK_END: return leave_pipe(t, i);
        case SOCK_ERROR: return DIRECTION_BROKEN;
        }
    }
    return DIRECTION_YIELD;
}

static enum flow pass_run(struct tunnel *t, unsigned i, struct slice run)
{
    const struct tunnel_end *from = &t->end[i], *to = &t->end[1 - i];
    size_t taken;
    enum flow f = to->ops->out.put(to->self, run, &taken);
    if (taken) {
        from->ops->in.took(from->self, taken);
        note_moved(t, &t->direction[i], taken);
    }
    return f;
}

static enum direction_result copy_direction(struct tunnel *t, unsigned i)
{
    const struct tunnel_end *from = &t->end[i];
    enum flow f;
    struct slice run;
    for (unsigned reads = 0; reads < SHARE_READS;)
        switch (from->ops->in.peek(from->self, &run)) {
        case FLOW_OK:
            f = pass_run(t, i, run);
            if (f != FLOW_OK)
                return waits_or_broken(f);
            promote(t, i, run.n);
            if (t->direction[i].spliced)
                return splice_direction(t, i);
            break;
        case FLOW_WAIT:
            reads++;
            f = from->ops->in.fill(from->self);
            if (f == FLOW_FAULT)
                return DIRECTION_BROKEN;
            if (f == FLOW_WAIT) /* what is ready is never held back */
                return waits_or_broken(flush(&t->end[1 - i]));
            break;
        case FLOW_END: return pass_end(t, i);
        case FLOW_FAULT: return DIRECTION_BROKEN;
        }
    return DIRECTION_YIELD;
}

/* False: the tunnel is gone. */
static bool turn_direction(struct tunnel *t, unsigned i)
{
    struct direction *h = &t->direction[i];
    if (h->ended)
        return true;
    if (unlikely(h->held != HELD_NOT)) {
        enum look seen = tunnel_look_at_first(t);
        if (seen != LOOK_PASS)
            return seen == LOOK_MORE;
    }
    enum direction_result r = h->spliced ? splice_direction(t, i) : copy_direction(t, i);
    if (r == DIRECTION_BROKEN) {
        tunnel_end_broken(t);
        return false;
    }
    if (r == DIRECTION_YIELD)
        t->end[i].ops->again(t->end[i].self);
    return true;
}

/* An end whose own end has been passed on is read no more, so a reset of it shows only here. One
 * that is still read tells it behind its last byte. */
static bool died_after_its_end(struct tunnel *t, unsigned i)
{
    return t->direction[i].ended && t->end[i].ops->gone(t->end[i].self);
}

void tunnel_ready(struct tunnel *t)
{
    u64 before = t->direction[0].moved + t->direction[1].moved;
    for (unsigned i = 0; i < 2; i++)
        if (unlikely(died_after_its_end(t, i))) {
            tunnel_end_broken(t);
            return;
        }
    if (!turn_direction(t, 0) || !turn_direction(t, 1))
        return;
    if (t->direction[0].ended && t->direction[1].ended) {
        end(t, FAULT_NONE);
        return;
    }
    if (t->direction[0].moved + t->direction[1].moved != before)
        touch(t);
}

/* Nothing moved for a while: the pipe goes back, and the flow has to prove itself long again. */
static void rest_pipe(struct tunnel *t, unsigned i)
{
    if (!t->direction[i].spliced || t->direction[i].pipe.held)
        return;
    close_pipe(t, &t->direction[i]);
    t->end[i].ops->rest(t->end[i].self);
}

void tunnel_expired(struct timer *timer)
{
    struct tunnel *t = container_of(timer, struct tunnel, timer);
    const struct timeouts_conf *limit = &t->worker->snapshot->conf.timeouts;
    u64 now = worker_ms(t->worker);
    if (limit->tunnel_lifetime != UINT32_MAX && now >= t->born_ms + limit->tunnel_lifetime) {
        tunnel_end_early(t, FAULT_tunnel_lifetime);
        return;
    }
    if (limit->tunnel_idle != UINT32_MAX && now >= t->active_ms + limit->tunnel_idle) {
        tunnel_end_early(t, FAULT_tunnel_idle_timeout);
        return;
    }
    if (t->ends_ms && now >= t->ends_ms) {
        if (t->direction[0].held == HELD_PARTLY)
            tunnel_end_abruptly(t, FAULT_client_hello_timeout);
        else
            tunnel_end_denied(t);
        return;
    }
    for (unsigned i = 0; i < 2; i++)
        rest_pipe(t, i);
    tunnel_arm(t);
}

void tunnel_cut(struct tunnel *t)
{
    atomic_fetch_add(&t->worker->engine->cut, 1);
    tunnel_end_early(t, FAULT_draining);
}

struct tunnel *tunnel_reserve(struct worker *w, struct access_record *record)
{
    struct tunnel *t = record ? slab_take(&w->tunnels) : NULL;
    if (t == NULL) {
        account_drop(record);
        return NULL;
    }
    memset(t, 0, sizeof *t);
    t->worker = w;
    t->record = record;
    timer_init(&t->timer, TIMER_TUNNEL);
    return t;
}

struct access_record *tunnel_record(const struct tunnel *t)
{
    return t->record;
}

void tunnel_release(struct tunnel **slot)
{
    struct tunnel *t = *slot;
    if (t == NULL)
        return;
    *slot = NULL;
    account_drop(t->record);
    slab_give(&t->worker->tunnels, t);
}

void tunnel_hold(struct tunnel *t)
{
    t->direction[0].held = HELD_WHOLLY;
}

void tunnel_begin(struct tunnel **slot, struct tunnel_end client, struct tunnel_end upstream)
{
    struct tunnel *t = *slot;
    struct worker *w = t->worker;
    *slot = NULL;
    t->born_ms = worker_ms(w);
    t->end[0] = client;
    t->end[1] = upstream;
    for (unsigned i = 0; i < 2; i++)
        t->end[i].ops->join(t->end[i].self, t);
    stat_add(w->stats, STAT_tunnels_total, 1);
    stat_add(w->stats, STAT_tunnels_open, 1);
    touch(t);
    client.ops->again(client.self);
}
