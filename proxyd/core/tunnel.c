/*
 * Each direction reads from one connection and writes to the other, and knows when
 * its source has ended, so that a half-close travels through. It copies through the source's
 * own buffer (16 kB, promoted to 256 kB while it fills) and, when the flow has proved long, moves
 * to a 1 MB pipe.
 *
 * Lifetime: made when an exchange becomes a tunnel, gone when both directions have ended, one side
 * broke, or time is up. An idle tunnel holds no buffer: two connections and this struct, about 700
 * bytes, and its log record.
 */
#include "core/tunnel.h"

#include <unistd.h>

#include "core/account.h"
#include "core/snapshot.h"
#include "core/server.h"
#include "io/pipe.h"

enum {
    LONG_FLOW = 1 << 20,
    SHARE_BYTES = 2 << 20,
    SHARE_READS = 8,
    PIPE_REST_MS = 2000,
    STILL_MS = 2000, /* without a byte for so long: nothing is under way */
};

struct direction {
    u64 moved;
    struct pipe pipe;
    bool spliced; /* pipe is open */
    bool ended;   /* the source's end has been passed on */
    bool no_pipe; /* none to be had: do not ask on every read */
};

struct tunnel {
    struct worker *worker;
    struct conn *end[2];           /* client, upstream */
    struct direction direction[2]; /* direction[i] goes from end[i] to the other */
    struct access_record *record;
    struct timer timer;
    u64 born_ms, active_ms; /* active: last byte moved */
};

/* The nearest of: idle too long, lived too long, time to look whether a pipe is still worth its
 * place. */
static void arm(struct tunnel *t)
{
    const struct timeouts_conf *limit = &t->worker->snapshot->conf.timeouts;
    u64 now = worker_ms(t->worker), at = TIMER_NEVER;
    if (limit->tunnel_idle != UINT32_MAX)
        at = t->active_ms + limit->tunnel_idle;
    if (limit->tunnel_lifetime != UINT32_MAX && t->born_ms + limit->tunnel_lifetime < at)
        at = t->born_ms + limit->tunnel_lifetime;
    if ((t->direction[0].spliced || t->direction[1].spliced) && now + PIPE_REST_MS < at)
        at = now + PIPE_REST_MS;
    timer_set(&t->worker->loop.wheel, &t->timer, at);
}

static void touch(struct tunnel *t)
{
    t->active_ms = worker_ms(t->worker);
    arm(t);
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
        r->fault = (u16)f;
    stat_sub(w->stats, STAT_tunnels_open, 1);
    close_pipe(t, &t->direction[0]);
    close_pipe(t, &t->direction[1]);
    timer_clear(&w->loop.wheel, &t->timer);
    account_tunnel(w, r);
    client_close(t->end[0]);
    conn_close(t->end[1]);
    slab_give(&w->tunnels, t);
}

/* A reset on one side is a reset on the other: an abrupt end must not look orderly. Nor on the side
 * itself, for a read or write may have failed while the connection lives. */
static void end_broken(struct tunnel *t)
{
    for (unsigned i = 0; i < 2; i++)
        stream_reset(&t->end[i]->stream);
    end(t, FAULT_NONE);
}

/* Something of this direction is on its way, or its sink waits for nothing but the end. */
static bool is_under_way(const struct tunnel *t, unsigned i)
{
    const struct direction *h = &t->direction[i];
    const struct buf *in = t->end[i]->in;
    if (h->ended)
        return false;
    if (h->pipe.held || t->end[1 - i]->out || (in && buf_len(in)) || t->direction[1 - i].ended)
        return true;
    return worker_ms(t->worker) < t->active_ms + STILL_MS;
}

/* It is we who end it: a stream that is cut by this must not look as if its source had ended. */
static void end_early(struct tunnel *t, enum fault f)
{
    for (unsigned i = 0; i < 2; i++)
        if (is_under_way(t, i))
            stream_reset(&t->end[1 - i]->stream);
    end(t, f);
}

static void note_moved(struct tunnel *t, struct direction *h, size_t n)
{
    bool from_client = h == &t->direction[0];
    h->moved += n;
    stat_add(t->worker->stats,
             from_client ? STAT_tunnel_bytes_from_client : STAT_tunnel_bytes_to_client, n);
}

static void promote(struct tunnel *t, unsigned i)
{
    struct direction *h = &t->direction[i];
    struct conn *from = t->end[i], *to = t->end[1 - i];
    bool worth_it = h->moved >= LONG_FLOW && from->in_class == BUF_256K && !h->no_pipe;
    if (!worth_it || h->spliced || !stream_whole(&from->stream) || !stream_whole(&to->stream))
        return;
    if (atomic_fetch_add(&t->worker->engine->pipes, 1) >= PIPE_MOST || !pipe_open(&h->pipe)) {
        atomic_fetch_sub(&t->worker->engine->pipes, 1);
        h->no_pipe = true;
        return;
    }
    h->spliced = true;
    stat_add(t->worker->stats, STAT_tunnel_spliced_total, 1);
    conn_drop_in(from);
}

/* The source has ended and all of it has been written. When the other direction has ended too,
 * closing says so; what a layer cannot say yet is tried again when its sink takes more. */
static void pass_end(struct tunnel *t, unsigned i)
{
    bool last = t->direction[1 - i].ended;
    if (last || stream_shutdown(&t->end[1 - i]->stream) != SOCK_AGAIN)
        t->direction[i].ended = true;
}

enum direction_result { DIRECTION_WAIT, DIRECTION_YIELD, DIRECTION_BROKEN };

static enum direction_result copy_direction(struct tunnel *t, unsigned i);

/* The pipe is empty, so nothing is lost by going back to copying, and recv tells whether this is
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
    struct conn *from = t->end[i], *to = t->end[1 - i];
    size_t n, share = 0;
    while (share < SHARE_BYTES) {
        if (h->pipe.held) {
            if (!(to->stream.io.ready & IO_OUT))
                return DIRECTION_WAIT;
            enum sock_result r = pipe_drain(&h->pipe, stream_whole(&to->stream), &n);
            if (r != SOCK_OK)
                return r == SOCK_AGAIN ? DIRECTION_WAIT : DIRECTION_BROKEN;
            to->bytes_out += n;
            share += n;
            note_moved(t, h, n);
            continue;
        }
        if (!conn_readable(from))
            return DIRECTION_WAIT;
        switch (pipe_fill(&h->pipe, stream_whole(&from->stream), &n)) {
        case SOCK_OK: from->bytes_in += n; break;
        case SOCK_AGAIN: return DIRECTION_WAIT;
        case SOCK_END: return leave_pipe(t, i);
        case SOCK_ERROR: return DIRECTION_BROKEN;
        }
    }
    return DIRECTION_YIELD;
}

static enum direction_result copy_direction(struct tunnel *t, unsigned i)
{
    struct direction *h = &t->direction[i];
    struct conn *from = t->end[i], *to = t->end[1 - i];
    for (unsigned reads = 0; reads < SHARE_READS;) {
        struct slice live = from->in ? buf_live(from->in) : (struct slice){ NULL, 0 };
        if (live.n || to->out) {
            size_t taken;
            enum sock_result r = conn_send(to, live, &taken);
            if (taken && from->in) {
                from->in->from += (u32)taken;
                note_moved(t, h, taken);
            }
            if (r != SOCK_OK)
                return r == SOCK_AGAIN ? DIRECTION_WAIT : DIRECTION_BROKEN;
            promote(t, i);
            if (h->spliced)
                return splice_direction(t, i);
        }
        if (from->eof) {
            pass_end(t, i);
            return DIRECTION_WAIT;
        }
        if (!conn_readable(from))
            return DIRECTION_WAIT;
        reads++;
        switch (conn_fill(from)) {
        case SOCK_AGAIN: return DIRECTION_WAIT;
        case SOCK_ERROR: return DIRECTION_BROKEN;
        default: break;
        }
    }
    return DIRECTION_YIELD;
}

/* False: the tunnel is gone. */
static bool turn_direction(struct tunnel *t, unsigned i)
{
    struct direction *h = &t->direction[i];
    if (h->ended)
        return true;
    enum direction_result r = h->spliced ? splice_direction(t, i) : copy_direction(t, i);
    if (r == DIRECTION_BROKEN) {
        end_broken(t);
        return false;
    }
    conn_drop_in(t->end[i]);
    if (r == DIRECTION_YIELD)
        loop_again(&t->worker->loop, &t->end[i]->stream.io);
    return true;
}

/* A side whose end has been passed on is read no more, so a reset of it shows only here. One that
 * is still read tells it behind its last byte; EPOLLHUP alone says no more than that both
 * directions have ended. */
static bool died_after_its_end(struct tunnel *t, unsigned i)
{
    struct io *io = &t->end[i]->stream.io;
    if (!t->direction[i].ended || !(io->ready & IO_ERROR))
        return false;
    io->ready &= (u8)~IO_ERROR;
    return conn_error(t->end[i]) != 0;
}

static void turn(struct tunnel *t)
{
    u64 before = t->direction[0].moved + t->direction[1].moved;
    for (unsigned i = 0; i < 2; i++)
        if (unlikely(died_after_its_end(t, i))) {
            end_broken(t);
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
    t->end[i]->in_class = BUF_16K;
    t->end[i]->full_reads = 0;
}

void tunnel_expired(struct timer *timer)
{
    struct tunnel *t = container_of(timer, struct tunnel, timer);
    const struct timeouts_conf *limit = &t->worker->snapshot->conf.timeouts;
    u64 now = worker_ms(t->worker);
    if (limit->tunnel_lifetime != UINT32_MAX && now >= t->born_ms + limit->tunnel_lifetime) {
        end_early(t, FAULT_tunnel_lifetime);
        return;
    }
    if (limit->tunnel_idle != UINT32_MAX && now >= t->active_ms + limit->tunnel_idle) {
        end_early(t, FAULT_tunnel_idle_timeout);
        return;
    }
    for (unsigned i = 0; i < 2; i++)
        rest_pipe(t, i);
    arm(t);
}

static void ready(struct conn *c)
{
    turn(c->owner);
}

static void drain(struct conn *c, enum drain_state how)
{
    struct tunnel *t = c->owner;
    if (how != DRAIN_NOW)
        return;
    atomic_fetch_add(&t->worker->engine->cut, 1);
    end_early(t, FAULT_draining);
}

static const struct conn_user tunnel_user = { "tunnel", ready, NULL, drain, BUF_FOR_READING };

static void adopt(struct tunnel *t, unsigned i, struct conn *c)
{
    t->end[i] = c;
    conn_hand(c, &tunnel_user, t);
    c->full_reads = 0;
    c->in_class = BUF_16K;
    conn_wait_nothing(c);
    conn_unpin(c);
    conn_drop_in(c);
}

bool tunnel_start(struct xchg *x)
{
    struct worker *w = x->worker;
    struct tunnel *t = slab_take(&w->tunnels);
    if (t == NULL)
        return false;
    memset(t, 0, sizeof *t);
    t->worker = w;
    t->record = account_detach(x);
    if (t->record == NULL) {
        slab_give(&w->tunnels, t);
        return false;
    }
    t->born_ms = worker_ms(w);
    timer_init(&t->timer, TIMER_TUNNEL);
    adopt(t, 0, x->client.conn);
    adopt(t, 1, x->upstream.conn);
    x->client.conn = x->upstream.conn = NULL;
    stat_add(w->stats, STAT_tunnels_total, 1);
    stat_add(w->stats, STAT_tunnels_open, 1);
    touch(t);
    loop_again(&w->loop, &t->end[0]->stream.io);
    return true;
}
