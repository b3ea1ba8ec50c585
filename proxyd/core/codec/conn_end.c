#include "core/codec/conn_end.h"

#include "core/codec/leg.h"
#include "core/codec/server.h"

static enum flow flow_of(enum sock_result r)
{
    return r == SOCK_OK ? FLOW_OK : r == SOCK_AGAIN ? FLOW_WAIT : FLOW_FAULT;
}

static enum flow end_peek(void *self, struct slice *run)
{
    struct conn *c = self;
    if (c->in && buf_len(c->in)) {
        *run = buf_live(c->in);
        return FLOW_OK;
    }
    if (c->read_failed)
        return FLOW_FAULT;
    if (!c->eof)
        return FLOW_WAIT;
    conn_drop_in(c);
    return FLOW_END;
}

static void end_took(void *self, size_t n)
{
    struct conn *c = self;
    c->in->from += (u32)n;
}

/* An end that waits holds no buffer. What was left untaken may be all that came. */
static enum flow end_fill(void *self)
{
    struct conn *c = self;
    if (!conn_readable(c)) {
        conn_drop_in(c);
        return c->eof || c->read_failed ? FLOW_END : FLOW_WAIT;
    }
    return conn_fill(c) == SOCK_AGAIN ? FLOW_WAIT : FLOW_OK;
}

static enum flow end_put(void *self, struct slice run, size_t *taken)
{
    return flow_of(conn_send(self, run, taken));
}

static enum flow end_flush(void *self)
{
    return flow_of(conn_flush(self));
}

/* A shutdown that the socket refuses is no failure of the tunnel: the peer has ended too, or its
 * reset will be seen. */
static enum flow end_finish(void *self, const struct msg *trailers)
{
    struct conn *c = self;
    enum flow f = end_flush(c);
    (void)trailers;
    if (f != FLOW_OK)
        return f;
    return stream_shutdown(&c->stream) == SOCK_AGAIN ? FLOW_WAIT : FLOW_OK;
}

static void end_drop(void *self, enum fault why)
{
    struct conn *c = self;
    (void)why;
    stream_reset(&c->stream);
}

static void ready(struct conn *c)
{
    c->worker->intake->tunnel_ready(c->owner);
}

static void drain(struct conn *c, enum drain_state how)
{
    if (how == DRAIN_NOW)
        c->worker->intake->tunnel_cut(c->owner);
}

static const struct conn_user tunnel_user = { "tunnel", ready, NULL, drain, BUF_FOR_READING };

/* In a turn: client connections looked at, and tunnels among them decided again, 1 us each. */
enum { RECHECK_LINKS = 1024, RECHECK_TUNNELS = 64 };

static void recheck_some(struct io *io)
{
    struct worker *w = container_of(io, struct worker, recheck);
    for (unsigned links = 0, n = 0; links < RECHECK_LINKS && n < RECHECK_TUNNELS; links++) {
        if (w->recheck_at == &w->client_conns) {
            w->recheck_at = NULL;
            return;
        }
        struct conn *c = container_of(w->recheck_at, struct conn, link);
        w->recheck_at = c->link.next;
        if (c->user != &tunnel_user)
            continue;
        w->intake->tunnel_recheck(c->owner);
        n++;
    }
    loop_again(&w->loop, io);
}

void conn_end_adopt(struct worker *w, struct snapshot *old)
{
    (void)old;
    if (w->tunnels.live == 0)
        return;
    w->recheck.fd = -1;
    w->recheck.on_ready = recheck_some;
    w->recheck_at = w->client_conns.next;
    loop_again(&w->loop, &w->recheck);
}

static void end_rest(void *self)
{
    struct conn *c = self;
    c->in_class = BUF_16K;
    c->full_reads = 0;
}

static void end_join(void *self, struct tunnel *t)
{
    struct conn *c = self;
    conn_hand(c, &tunnel_user, t);
    end_rest(c);
    conn_wait_nothing(c);
    conn_unpin(c);
    conn_drop_in(c);
}

static void end_again(void *self)
{
    struct conn *c = self;
    loop_again(&c->worker->loop, &c->stream.io);
}

/* EPOLLHUP alone says no more than that both directions have ended. */
static bool end_gone(void *self)
{
    struct conn *c = self;
    if (!(c->stream.io.ready & IO_ERROR))
        return false;
    c->stream.io.ready &= (u8)~IO_ERROR;
    return conn_error(c) != 0;
}

static struct io *end_whole(void *self)
{
    struct conn *c = self;
    return stream_whole(&c->stream);
}

static void end_spliced(void *self, size_t in, size_t out)
{
    struct conn *c = self;
    c->bytes_in += in;
    c->bytes_out += out;
}

static void client_end_spliced(void *self, size_t in, size_t out)
{
    end_spliced(self, in, out);
    client_count_bytes(self);
}

static enum flow client_end_fill(void *self)
{
    enum flow f = end_fill(self);
    client_count_bytes(self);
    return f;
}

static enum flow client_end_put(void *self, struct slice run, size_t *taken)
{
    enum flow f = end_put(self, run, taken);
    client_count_bytes(self);
    return f;
}

static void client_end_close(void *self)
{
    client_close(self);
}

static void upstream_end_close(void *self)
{
    conn_close(self);
}

#define CONN_END(filled, given, went, how)                                                         \
    {                                                                                              \
        .in = { .peek = end_peek, .took = end_took, .fill = (filled) },                            \
        .out = { .put = (given), .finish = end_finish, .flush = end_flush, .drop = end_drop },     \
        .join = end_join, .again = end_again, .gone = end_gone, .rest = end_rest,                  \
        .whole = end_whole, .spliced = (went), .close = (how),                                     \
    }

static const struct tunnel_end_ops client_end_ops =
    CONN_END(client_end_fill, client_end_put, client_end_spliced, client_end_close);
static const struct tunnel_end_ops upstream_end_ops =
    CONN_END(end_fill, end_put, end_spliced, upstream_end_close);

struct tunnel_end client_end(struct conn *c)
{
    conn_drop_way_in(c);
    return (struct tunnel_end){ &client_end_ops, c };
}

struct tunnel_end upstream_end(struct conn *c)
{
    return (struct tunnel_end){ &upstream_end_ops, c };
}
