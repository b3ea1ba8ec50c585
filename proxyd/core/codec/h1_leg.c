/*
 * An HTTP/1 connection as a leg: heads, ends, and what its events mean. The client side is laid on
 * a connection whose head is whole (server.c), the upstream side on one that was dialled or idle.
 */
#include "base/must.h"
#include "core/conn/codec.h"
#include "core/codec/conn_end.h"
#include "core/codec/h1.h"
#include "core/codec/internal.h"
#include "core/codec/server.h"
#include "http/h1_write.h"

/* ---- both sides ---- */

/* Takes the leg off its connection. */
static struct conn *lift(struct leg *l)
{
    struct conn *c = conn_of(l);
    l->ops = NULL;
    l->ride = NULL;
    return c;
}

static void lay(struct leg *l, const struct leg_ops *ops, struct conn *c,
                const struct conn_user *user)
{
    l->ops = ops;
    l->ride = c;
    l->h1.base_in = c->bytes_in;
    l->h1.base_out = c->bytes_out;
    conn_hand(c, user, l);
    conn_wait_nothing(c);
}

/* ---- the client's side ---- */

static enum flow client_put_head(struct leg *l, const struct msg *m)
{
    struct text t;
    if (!h1_room(l, h1_head_room(m), &t))
        return FLOW_WAIT;
    enum body_kind kind = h1_write_head(&t, m, l->minor, l->last || !l->h1.keep);
    must(!t.full);
    conn_wrote(conn_of(l), &t);
    l->unsent = true;
    if (m->status < 200 && m->status != 101)
        return FLOW_OK;
    if (kind == BODY_UNTIL_CLOSE)
        l->last = true;
    h1_announce_body(l, kind, m->body_len);
    l->out_done = kind == BODY_NONE;
    return FLOW_OK;
}

static bool client_rewind(struct leg *l)
{
    struct conn *c = conn_of(l);
    if (l->h1.in.kind == BODY_NONE)
        return true;
    if (c->refilled)
        return false;
    c->in = c->pin;
    c->in->from = l->h1.body_at;
    h1_expect_body(l, l->h1.in.kind, l->h1.in.length);
    l->taken = l->h1.head_len;
    return true;
}

static bool client_local(const struct leg *l, struct addr *local)
{
    return conn_local(conn_of(l), local);
}

static struct tunnel_end client_detach(struct leg *l)
{
    return client_end(lift(l));
}

/* An answer that is cut never looks whole: where only the end of the connection marks the end of
 * the body, the client sees a reset. */
static void client_leg_close(struct leg *l, enum leg_end end)
{
    bool cut = end == LEG_ABORT, until_close = l->h1.out.kind == BODY_UNTIL_CLOSE;
    bool keep = end == LEG_KEEP && l->h1.keep && !l->last && l->in_done, gone = l->gone;
    struct snapshot *snap = l->snap;
    struct conn *c = lift(l);
    if (cut && until_close)
        stream_reset(&c->stream);
    if (gone || c->read_failed || c->write_failed) {
        client_close(c);
    } else if (cut) {
        (void)conn_flush(c);
        client_close(c);
    } else if (keep) {
        client_count_bytes(c);
        h1_next(c, snap);
    } else {
        h1_linger(c);
    }
}

static bool client_let_go(struct leg *l, enum leg_end end)
{
    struct requester *nobody = internal_nobody(conn_of(l)->worker);
    if (nobody == NULL)
        return false;
    client_leg_close(l, end);
    internal_seat(l, nobody);
    return true;
}

static const struct leg_ops client_ops = {
    .name = "h1",
    .in = { h1_peek, h1_took, h1_fill, h1_trailers, NULL, NULL },
    .out = { h1_put, h1_finish, h1_flush, NULL, h1_put_file },
    .put_head = client_put_head,
    .rewind = client_rewind,
    .local = client_local,
    .detach = client_detach,
    .let_go = client_let_go,
    .close = client_leg_close,
};

/* A reset of the client ends everything: nobody is left to serve. An orderly end of its stream does
 * not: it may only have finished sending. */
static void client_ready(struct conn *c)
{
    struct leg *l = c->owner;
    if (unlikely(c->read_failed || (c->stream.io.ready & IO_ERROR)))
        l->gone = true;
    c->worker->intake->wake(l->xchg);
}

static void client_cut(struct conn *c, enum drain_state how)
{
    struct leg *l = c->owner;
    if (how == DRAIN_NOW)
        c->worker->intake->cut(l->xchg);
}

static const struct conn_user client_user = { "exchange", client_ready, NULL, client_cut,
                                              BUF_FOR_READING };

void h1_client_leg(struct leg *l, struct conn *c)
{
    lay(l, &client_ops, c, &client_user);
    l->in_done = true; /* until a head says otherwise */
}

/* ---- the upstream side ---- */

static enum flow upstream_put_head(struct leg *l, const struct msg *m)
{
    struct text t;
    if (!h1_room(l, h1_head_room(m), &t))
        return FLOW_WAIT;
    h1_write_head(&t, m, 1, false);
    must(!t.full);
    conn_wrote(conn_of(l), &t);
    l->unsent = true;
    h1_announce_body(l, m->body, m->body_len);
    return FLOW_OK;
}

/* WAIT: it is not whole yet. */
static enum flow parse_head(struct leg *l, struct msg *m, enum method asked)
{
    const struct buf *in = conn_of(l)->in;
    struct head_limits limits = h1_head_limits(l->snap);
    const char *p = in->data + in->from;
    enum fault f = FAULT_NONE;
    u32 len = head_scan_answer(&l->h1.scan, p, buf_len(in), &limits, true, &f);
    if (f == FAULT_NONE && len == 0)
        return FLOW_WAIT;
    f = f ? head_fault_response(f) : response_parse(m, p, len, &limits, asked);
    l->fault = (u16)f;
    if (f != FAULT_NONE)
        return FLOW_FAULT;
    l->repairs |= m->repairs;
    l->h1.head_len = len;
    if (m->status >= 200 || m->status == 101) {
        l->h1.keep = m->keep_alive;
        h1_expect_body(l, m->body, m->body_len);
    }
    return FLOW_OK;
}

static enum flow upstream_head(struct leg *l, struct msg *m, enum method asked)
{
    const struct conn *c = conn_of(l);
    for (;;) {
        enum flow f = c->in && buf_len(c->in) ? parse_head(l, m, asked) : FLOW_WAIT;
        if (f != FLOW_WAIT)
            return f;
        if (h1_read(l))
            continue;
        if (likely(!c->eof && !c->read_failed))
            return FLOW_WAIT;
        l->gone = c->read_failed;
        return FLOW_FAULT;
    }
}

static void upstream_head_done(struct leg *l)
{
    if (l->h1.head_len == 0) /* it gave none */
        return;
    conn_of(l)->in->from += l->h1.head_len;
    l->h1.head_len = 0;
    memset(&l->h1.scan, 0, sizeof l->h1.scan);
}

static bool upstream_body_here(const struct leg *l, struct slice *body)
{
    const struct body_in *b = &l->h1.in;
    struct slice live = slice_skip(buf_live(conn_of(l)->in), l->h1.head_len);
    *body = (struct slice){ live.p, b->kind == BODY_LENGTH ? b->left : 0 };
    return b->kind <= BODY_LENGTH && body->n <= live.n;
}

static bool upstream_untouched(const struct leg *l)
{
    return conn_of(l)->bytes_out == l->h1.base_out;
}

static bool is_reusable(struct leg *l)
{
    struct conn *c = conn_of(l);
    bool quiet =
        (c->in == NULL || buf_len(c->in) == 0) && !c->eof && !c->read_failed && !c->write_failed;
    return quiet && l->h1.keep && !l->repairs && l->in_done && conn_is_quiet(c);
}

static struct tunnel_end upstream_detach(struct leg *l)
{
    return upstream_end(lift(l));
}

static void upstream_leg_close(struct leg *l, enum leg_end end)
{
    bool keep = end == LEG_KEEP && is_reusable(l);
    struct target *t = l->target;
    struct conn *c = lift(l);
    if (keep)
        idle_give(t, c);
    else
        conn_close(c);
}

static const struct leg_ops upstream_ops = {
    .name = "h1",
    .in = { h1_peek, h1_took, h1_fill, h1_trailers, NULL, NULL },
    .out = { h1_put, h1_finish, h1_flush, NULL, h1_put_file },
    .head = upstream_head,
    .head_done = upstream_head_done,
    .body_here = upstream_body_here,
    .put_head = upstream_put_head,
    .untouched = upstream_untouched,
    .detach = upstream_detach,
    .close = upstream_leg_close,
};

static void upstream_ready(struct conn *c)
{
    struct leg *l = c->owner;
    c->worker->intake->wake(l->xchg);
}

static const struct conn_user upstream_user = { "exchange", upstream_ready, NULL, NULL,
                                                BUF_FOR_READING };

static void attach(struct conn *c, struct target *t, struct leg *l)
{
    lay(l, &upstream_ops, c, &upstream_user);
    l->target = t;
    l->h1.response = true;
}

const struct codec codec_h1 = { "h1", "http/1.1", h1_serve, attach };
