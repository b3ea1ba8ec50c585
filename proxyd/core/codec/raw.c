/*
 * A client that was meant for somebody else and speaks no HTTP: TLS, another protocol, or nothing
 * yet. A ClientHello is awaited until it is whole, and nothing of it is consumed: it is the first
 * that goes through the tunnel. The request is a CONNECT that we make up, to where the client was
 * going. Its answer is never written: 200 is silence, and everything else a reset.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "core/codec/conn_end.h"
#include "core/codec/client_exchange.h"
#include "http/client_hello.h"

static struct conn *conn_of(const struct leg *l)
{
    return l->ride;
}

static struct conn *lift(struct leg *l)
{
    struct conn *c = conn_of(l);
    l->ops = NULL;
    l->ride = NULL;
    return c;
}

/* ---- the leg ---- */

/* CONNECT has no content. */
static enum flow raw_peek(void *self, struct slice *run)
{
    (void)self;
    (void)run;
    return FLOW_END;
}

static void raw_took(void *self, size_t n)
{
    (void)self;
    (void)n;
}

/* There is nobody to read a page. */
static enum flow raw_put(void *self, struct slice run, size_t *taken)
{
    (void)self;
    (void)run;
    *taken = 0;
    return FLOW_FAULT;
}

static enum flow raw_finish(void *self, const struct msg *trailers)
{
    (void)self;
    (void)trailers;
    return FLOW_FAULT;
}

static enum flow raw_put_head(struct leg *l, const struct msg *m)
{
    if (m->status == 200)
        return FLOW_OK;
    l->gone = true;
    return FLOW_FAULT;
}

static bool raw_rewind(struct leg *l)
{
    (void)l;
    return true;
}

static bool raw_local(const struct leg *l, struct addr *local)
{
    return conn_local(conn_of(l), local);
}

static struct tunnel_end raw_detach(struct leg *l)
{
    return client_end(lift(l));
}

static void raw_close(struct leg *l, enum leg_end end)
{
    struct conn *c = lift(l);
    (void)end;
    stream_reset(&c->stream);
    client_close(c);
}

static const struct leg_ops raw_ops = {
    .name = "raw",
    .in = { raw_peek, raw_took, NULL, NULL, NULL, NULL },
    .out = { raw_put, raw_finish, NULL, NULL, NULL },
    .put_head = raw_put_head,
    .rewind = raw_rewind,
    .local = raw_local,
    .detach = raw_detach,
    .close = raw_close,
};

static void leg_ready(struct conn *c)
{
    struct leg *l = c->owner;
    if (c->read_failed || (c->stream.io.ready & IO_ERROR))
        l->gone = true;
    c->worker->intake->wake(l->xchg);
}

static void leg_drain(struct conn *c, enum drain_state how)
{
    struct leg *l = c->owner;
    if (how == DRAIN_NOW)
        c->worker->intake->cut(l->xchg);
}

static const struct conn_user leg_user = { "exchange", leg_ready, NULL, leg_drain,
                                           BUF_FOR_READING };

/* ---- the first bytes ---- */

/* False: no memory. */
static bool make_up(struct leg *l, struct msg *req, struct intercepted *i, const struct host *name)
{
    char *area = arena_try(l->arena, ADDR_TEXT);
    struct host *copy = i->hello == HELLO_NAME ? arena_try(l->arena, sizeof *copy) : NULL;
    if (area == NULL || (i->hello == HELLO_NAME && copy == NULL))
        return false;
    if (copy)
        host_copy(copy, name);
    i->name = copy;
    struct text t = text_in(area, ADDR_TEXT);
    addr_text_port(&t, &i->original);
    req->method = METHOD_CONNECT;
    req->method_text = SLICE("CONNECT");
    req->target = text_slice(&t);
    req->minor = 1;
    req->body = BODY_NONE;
    return true;
}

static void open_tunnel(struct conn *c, enum hello hello, const struct host *name, bool encrypted,
                        enum fault f)
{
    struct worker *w = c->worker;
    struct leg *l;
    struct msg *req;
    struct xchg *x = client_exchange(c, &l, &req);
    if (x == NULL)
        return;
    struct intercepted *i = &conn_way_in(c)->intercepted;
    i->raw = true;
    i->hello = (u8)hello;
    i->encrypted = encrypted;
    l->ops = &raw_ops;
    l->ride = c;
    l->in_done = l->in_here = true;
    l->minor = 1;
    l->last = true;
    conn_hand(c, &leg_user, l);
    conn_wait_nothing(c);
    if (!make_up(l, req, i, name))
        f = FAULT_out_of_memory;
    w->intake->run(x, f);
}

/* Opens the exchange when it is known what the bytes are. */
static bool try_hello(struct conn *c)
{
    struct host name;
    bool encrypted;
    enum hello h = client_hello_look(buf_live(c->in), &name, &encrypted);
    if (h == HELLO_MORE)
        return false;
    open_tunnel(c, h, &name, encrypted,
                h == HELLO_BROKEN ? FAULT_client_hello_malformed : FAULT_NONE);
    return true;
}

static void read_hello(struct conn *c)
{
    for (;;) {
        if (c->in && buf_len(c->in) && try_hello(c))
            return;
        if (c->eof || c->read_failed) {
            open_tunnel(c, HELLO_BROKEN, NULL, false, FAULT_client_closed);
            return;
        }
        if (!conn_readable(c) || conn_fill(c) == SOCK_AGAIN)
            return;
    }
}

static void hello_expired(struct conn *c)
{
    open_tunnel(c, HELLO_BROKEN, NULL, false,
                c->awaits_memory ? FAULT_out_of_memory : FAULT_client_hello_timeout);
}

static void hello_drain(struct conn *c, enum drain_state how)
{
    if (how == DRAIN_NOW)
        client_close(c);
}

static const struct conn_user raw_client = { "raw client", read_hello, hello_expired, hello_drain,
                                             BUF_FOR_NEWCOMER };

void raw_serve(struct conn *c)
{
    conn_hand(c, &raw_client, c->owner);
    if (c->wait != WAIT_HEAD)
        conn_wait(c, WAIT_HEAD, c->worker->snapshot->conf.timeouts.head);
    if (c->in == NULL)
        open_tunnel(c, HELLO_MORE, NULL, false, FAULT_NONE);
    else
        read_hello(c);
}
