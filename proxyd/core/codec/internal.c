#include "core/codec/internal.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/must.h"
#include "core/common/snapshot.h"
#include "core/worker.h"

static struct requester *requester_of(const struct leg *l)
{
    return l->ride;
}

/* There is no request body. */
static enum flow memory_peek(void *self, struct slice *run)
{
    (void)self;
    (void)run;
    return FLOW_END;
}

static void memory_took(void *self, size_t n)
{
    (void)self;
    (void)n;
}

static enum flow memory_put(void *self, struct slice run, size_t *taken)
{
    struct leg *l = self;
    struct requester *r = requester_of(l);
    *taken = 0;
    enum flow f = r->bytes(r, run, taken);
    l->bytes_out += *taken;
    if (f == FLOW_FAULT)
        l->refusal = r->fault;
    return f;
}

static enum flow memory_finish(void *self, const struct msg *trailers)
{
    struct leg *l = self;
    (void)trailers;
    requester_of(l)->whole = l->out_done = true;
    return FLOW_OK;
}

static enum flow memory_flush(void *self)
{
    (void)self;
    return FLOW_OK;
}

static enum flow memory_put_head(struct leg *l, const struct msg *m)
{
    struct requester *r = requester_of(l);
    enum flow f = r->head(r, m);
    l->out_done = m->body == BODY_NONE;
    l->gone |= f == FLOW_FAULT;
    return f;
}

static bool memory_rewind(struct leg *l)
{
    (void)l;
    return true;
}

static bool memory_local(const struct leg *l, struct addr *local)
{
    (void)l;
    (void)local;
    return false;
}

/* The requester is called from the loop, so that it may do whatever it likes. */
static void memory_close(struct leg *l, enum leg_end end)
{
    struct requester *r = requester_of(l);
    if (r->closing)
        r->closing(r);
    if (end == LEG_ABORT || !r->whole)
        r->fault = l->fault ? l->fault : (u16)FAULT_client_reset;
    l->ops = NULL;
    l->ride = NULL;
    r->leg = NULL;
    loop_again(&r->worker->loop, &r->task);
}

static const struct leg_ops memory_ops = {
    .name = "memory",
    .in = { memory_peek, memory_took, NULL, NULL, NULL, NULL },
    .out = { memory_put, memory_finish, memory_flush, NULL, NULL },
    .put_head = memory_put_head,
    .rewind = memory_rewind,
    .local = memory_local,
    .close = memory_close,
};

static void on_task(struct io *task)
{
    struct requester *r = container_of(task, struct requester, task);
    if (r->leg) {
        r->worker->intake->wake(r->leg->xchg);
        return;
    }
    list_remove(&r->link);
    r->end(r, (enum fault)r->fault);
}

static enum fault parse(struct leg *l, struct msg *req, struct slice request)
{
    const struct limits_conf *c = &l->snap->conf.limits;
    struct head_limits limits = { .head = c->head, .line = c->line, .fields = c->fields };
    char *copy = arena_try(l->arena, request.n);
    if (copy == NULL)
        return FAULT_out_of_memory;
    memcpy(copy, request.p, request.n);
    enum fault f = request_parse(req, copy, (u32)request.n, &limits);
    must(f || (req->body == BODY_NONE && req->method != METHOD_CONNECT && !req->upgrade_websocket));
    return f;
}

static void begin(struct worker *w, struct requester *r)
{
    r->task = (struct io){ .fd = -1, .on_ready = on_task };
    r->worker = w;
    r->fault = FAULT_NONE;
    r->whole = false;
}

void internal_seat(struct leg *l, struct requester *r)
{
    r->leg = l;
    list_push_back(&r->worker->requesters, &r->link);
    l->ops = &memory_ops;
    l->ride = r;
    l->in_done = l->in_here = true;
    l->gone = l->memory = l->unsent = false;
    l->fault = l->refusal = FAULT_NONE;
}

static void nobody_end(struct requester *r, enum fault f)
{
    (void)f;
    free(r);
}

struct requester *internal_nobody(struct worker *w)
{
    struct requester *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    begin(w, r);
    r->end = nobody_end;
    return r;
}

/* Takes the pin over. */
static bool open_as(struct worker *w, struct arrival *a, struct slice request, struct requester *r)
{
    struct leg *l;
    struct msg *req;
    struct xchg *x = w->intake->begin(w, a, &l, &req);
    if (x == NULL) {
        snapshot_unpin(w, &a->snap);
        return false;
    }
    begin(w, r);
    internal_seat(l, r);
    l->taken = request.n;
    w->intake->queue(x, parse(l, req, request));
    return true;
}

bool internal_open(struct worker *w, const struct listener *listen, struct slice request,
                   struct requester *r)
{
    static const struct addr nobody = { .family = 0 };
    struct arrival a = { .listen = listen, .peer = &nobody };
    if (w->draining)
        return false;
    a.snap = snapshot_pin(w, w->snapshot);
    return open_as(w, &a, request, r);
}

bool internal_open_for(struct worker *w, const struct arrival *for_it, struct slice request,
                       struct requester *r)
{
    struct arrival a = *for_it;
    if (w->draining == DRAIN_NOW)
        return false;
    a.snap = snapshot_pin(w, a.snap);
    return open_as(w, &a, request, r);
}

void internal_facts(const struct requester *r, struct xchg_facts *out)
{
    r->worker->intake->facts(r->leg->xchg, out);
}

void internal_more(struct requester *r)
{
    loop_again(&r->worker->loop, &r->task);
}

void internal_cancel(struct requester *r)
{
    if (r->leg)
        r->leg->gone = true;
    internal_more(r);
}

void internal_drain(struct worker *w)
{
    struct list *n = w->requesters.next;
    while (w->draining == DRAIN_NOW && n != &w->requesters) {
        struct requester *r = container_of(n, struct requester, link);
        n = n->next;
        if (r->leg)
            w->intake->cut(r->leg->xchg);
    }
}
