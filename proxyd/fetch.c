#include "fetch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/must.h"
#include "core/codec/internal.h"
#include "core/common/snapshot.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

enum { LOOK_MS = 200, BUFFER = 256 << 10, HEAD = 2048 };

struct fetching {
    struct engine *engine;
    pthread_mutex_t lock; /* held while something is posted, so that nothing is after the end */
    struct list running;
    bool ending;
};

/* One fetch. What stands below `lock` is under it; the rest of what is known of the answer the
 * worker writes until `done`. */
struct fetch {
    struct requester requester; /* first: it is the requester */
    const struct fetch_order *order;
    struct fetch_result *result;
    struct list link; /* among those that run, under their lock */
    struct call call, stop, more;
    bool begun;
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool done;
    bool stopped;            /* `stop` has been posted: once */
    bool stopping, resuming; /* `stop`, `more` is on its way to the worker */
    bool full;               /* the worker waits for room */
    char *buffer;            /* NULL: the body is not kept */
    size_t filled;
};

static struct fetch *fetch_of(struct requester *r)
{
    return container_of(r, struct fetch, requester);
}

/* ---- on the worker ---- */

static void note_facts(struct fetch *f)
{
    struct fetch_result *r = f->result;
    internal_facts(&f->requester, &r->facts);
    struct text t = text_in(r->rule, sizeof r->rule);
    text_add(&t, r->facts.rule);
    r->facts.rule = t.full ? SLICE("") : text_slice(&t);
}

static enum flow on_head(struct requester *requester, const struct msg *resp)
{
    struct fetch *f = fetch_of(requester);
    f->result->status = resp->status;
    note_facts(f);
    if (f->order->head == NULL || f->order->head(f->order->ctx, resp))
        return FLOW_OK;
    f->result->end = FETCH_GIVEN_UP;
    return FLOW_FAULT;
}

/* As much as there is room for. */
static enum flow keep(struct fetch *f, struct slice run, size_t *taken)
{
    pthread_mutex_lock(&f->lock);
    size_t room = BUFFER - f->filled;
    *taken = run.n < room ? run.n : room;
    memcpy(f->buffer + f->filled, run.p, *taken);
    f->filled += *taken;
    f->full = *taken < run.n;
    pthread_cond_signal(&f->news);
    pthread_mutex_unlock(&f->lock);
    return f->full ? FLOW_WAIT : FLOW_OK;
}

static enum flow on_bytes(struct requester *requester, struct slice run, size_t *taken)
{
    struct fetch *f = fetch_of(requester);
    struct fetch_result *r = f->result;
    enum flow flow = FLOW_OK;
    if (r->bytes + run.n > f->order->most) {
        r->end = FETCH_TOO_LONG;
        requester->fault = FAULT_fetch_too_long;
        return FLOW_FAULT;
    }
    *taken = run.n;
    if (f->buffer)
        flow = keep(f, run, taken);
    r->bytes += *taken;
    return flow;
}

/* Where no answer came, the phases that there were. */
static void on_closing(struct requester *requester)
{
    struct fetch *f = fetch_of(requester);
    if (f->result->status == 0)
        note_facts(f);
}

static void finish(struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    f->done = true;
    pthread_cond_signal(&f->news);
    pthread_mutex_unlock(&f->lock);
}

static void on_end(struct requester *requester, enum fault fault)
{
    struct fetch *f = fetch_of(requester);
    f->result->fault = fault;
    if (fault != FAULT_NONE && f->result->end == FETCH_WHOLE)
        f->result->end = FETCH_FAILED;
    f->result->end_us = requester->worker->loop.now.mono_us;
    finish(f);
}

static const struct listener *find_listener(const struct snapshot *s, const struct fetch_order *o)
{
    for (u32 i = 0; i < s->nlisteners && o->by == NULL; i++)
        if (o->listener.n == 0 || slice_eq(s->listeners[i].name, o->listener))
            return &s->listeners[i];
    return o->by;
}

/* Between "//" and the path: what Host says; the parser judges it like any client's. */
static struct slice authority_of(struct slice url)
{
    const char *from = memmem(url.p, url.n, "//", 2);
    struct slice rest = from ? slice_range(from + 2, url.p + url.n) : url;
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] == '/' || rest.p[i] == '?' || rest.p[i] == '#')
            return (struct slice){ rest.p, i };
    return rest;
}

static void begin(struct call *call, void *receiver)
{
    struct fetch *f = container_of(call, struct fetch, call);
    const struct fetch_order *o = f->order;
    struct worker *w = receiver;
    const struct listener *l = find_listener(w->snapshot, o);
    char area[2 * FETCH_URL + HEAD];
    struct text t = text_in(area, sizeof area);
    text_fmt(&t,
             "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: proxyd/" PROXYD_VERSION
             "\r\nAccept: */*\r\n%.*s\r\n",
             SLICE_FMT(o->url), SLICE_FMT(authority_of(o->url)), SLICE_FMT(o->fields));
    must(!t.full);
    f->result->end = FETCH_WHOLE;
    if (l) {
        struct text name = text_in(f->result->name, sizeof f->result->name - 1);
        text_add(&name, l->name);
        f->begun = internal_open(w, l, text_slice(&t), &f->requester);
    }
    if (f->begun)
        return;
    f->result->end = l ? FETCH_ENDING : FETCH_NOBODY;
    finish(f);
}

static void stop(struct call *call, void *receiver)
{
    struct fetch *f = container_of(call, struct fetch, stop);
    (void)receiver;
    if (f->begun && !f->done && f->requester.leg)
        internal_cancel(&f->requester);
    pthread_mutex_lock(&f->lock);
    f->stopping = false;
    pthread_cond_signal(&f->news);
    pthread_mutex_unlock(&f->lock);
}

static void more(struct call *call, void *receiver)
{
    struct fetch *f = container_of(call, struct fetch, more);
    (void)receiver;
    if (!f->done && f->requester.leg)
        internal_more(&f->requester);
    pthread_mutex_lock(&f->lock);
    f->resuming = false;
    pthread_cond_signal(&f->news);
    pthread_mutex_unlock(&f->lock);
}

/* ---- whoever asks ---- */

struct fetching *fetching_new(struct engine *e)
{
    struct fetching *f = must_zalloc(sizeof *f);
    f->engine = e;
    list_init(&f->running);
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void fetching_free(struct fetching *f)
{
    if (f)
        pthread_mutex_destroy(&f->lock);
    free(f);
}

/* Under all->lock. */
static void post(struct fetching *all, struct call *call)
{
    loop_post(&all->engine->workers[0]->loop, call);
}

/* Under all->lock; f->lock is taken after it. */
static void have_stopped(struct fetching *all, struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    bool first = !f->stopped;
    if (first)
        f->stopped = f->stopping = true;
    pthread_mutex_unlock(&f->lock);
    if (first)
        post(all, &f->stop);
}

void fetching_end(struct fetching *all)
{
    pthread_mutex_lock(&all->lock);
    all->ending = true;
    for (struct list *n = all->running.next; n != &all->running; n = n->next) {
        struct fetch *f = container_of(n, struct fetch, link);
        if (f->order->dispensable)
            have_stopped(all, f);
    }
    pthread_mutex_unlock(&all->lock);
}

/* Blanks and controls would end the request line; the parser judges all else. */
static bool url_fits(struct slice url)
{
    for (size_t i = 0; i < url.n; i++)
        if ((u8)url.p[i] <= ' ' || url.p[i] == 0x7f)
            return false;
    return url.n > 0 && url.n <= FETCH_URL;
}

/* The worker waits for room, and there is some: after the end nobody does that any more. */
static void resume(struct fetching *all, struct fetch *f)
{
    pthread_mutex_lock(&all->lock);
    pthread_mutex_lock(&f->lock);
    bool posts = f->full && !f->done && !f->resuming && !all->ending;
    if (posts) {
        f->full = false;
        f->resuming = true;
    }
    pthread_mutex_unlock(&f->lock);
    if (posts)
        post(all, &f->more);
    pthread_mutex_unlock(&all->lock);
}

/* What has come is handed on, without the lock: into `area`, of BUFFER bytes. */
static bool hand_on(struct fetching *all, struct fetch *f, char **area)
{
    pthread_mutex_lock(&f->lock);
    size_t n = f->filled;
    char *filled = f->buffer;
    if (n) {
        f->buffer = *area;
        f->filled = 0;
        *area = filled;
    }
    pthread_mutex_unlock(&f->lock);
    if (n == 0)
        return true;
    resume(all, f);
    return f->order->body(f->order->ctx, (struct slice){ filled, n });
}

static void wait_some(struct fetch *f)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    u64 ns = (u64)limit.tv_nsec + LOOK_MS * 1000000ull;
    limit.tv_sec += (time_t)(ns / 1000000000);
    limit.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&f->news, &f->lock, &limit);
}

/* Over, with no call on its way that would touch it. Waits when there is nothing to do. */
static bool is_over(struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    bool over = f->done && !f->stopping && !f->resuming;
    if (f->filled == 0 && !over)
        wait_some(f);
    over = f->done && !f->stopping && !f->resuming && f->filled == 0;
    pthread_mutex_unlock(&f->lock);
    return over;
}

/* Nobody looks at what still comes. */
static void give_up(struct fetching *all, struct fetch *f)
{
    pthread_mutex_lock(&all->lock);
    if (!all->ending) /* else the drain ends it */
        have_stopped(all, f);
    pthread_mutex_unlock(&all->lock);
    pthread_mutex_lock(&f->lock);
    f->filled = 0;
    pthread_mutex_unlock(&f->lock);
}

static bool is_late(const struct fetch *f, u64 begun_us)
{
    u64 limit = f->order->limit_ms * 1000;
    return limit && clock_us(CLOCK_MONOTONIC) - begun_us > limit;
}

static void wait_over(struct fetching *all, struct fetch *f)
{
    const struct fetch_order *o = f->order;
    u64 begun_us = clock_us(CLOCK_MONOTONIC);
    char *area = f->buffer ? must_alloc(BUFFER) : NULL;
    enum fetch_end why = FETCH_WHOLE;
    while (!is_over(f)) {
        if (why == FETCH_WHOLE && f->buffer && !hand_on(all, f, &area))
            why = FETCH_GIVEN_UP;
        if (why == FETCH_WHOLE && o->unwanted && o->unwanted(o->ctx))
            why = FETCH_GIVEN_UP;
        if (why == FETCH_WHOLE && is_late(f, begun_us))
            why = FETCH_LATE;
        if (why != FETCH_WHOLE)
            give_up(all, f);
    }
    if (why != FETCH_WHOLE)
        f->result->end = why;
    free(area);
}

void fetch_run(struct fetching *all, const struct fetch_order *o, struct fetch_result *r)
{
    *r = (struct fetch_result){ .end = FETCH_NO_URL };
    if (!url_fits(o->url) || o->fields.n > HEAD / 2)
        return;
    struct fetch f = {
        .requester = { .head = on_head, .bytes = on_bytes, .closing = on_closing, .end = on_end },
        .order = o,
        .result = r,
        .call.run = begin,
        .stop.run = stop,
        .more.run = more,
        .buffer = o->body ? must_alloc(BUFFER) : NULL
    };
    pthread_mutex_init(&f.lock, NULL);
    pthread_cond_init(&f.news, NULL);
    r->end = FETCH_ENDING;
    pthread_mutex_lock(&all->lock);
    bool posted = !all->ending;
    if (posted) {
        list_push_back(&all->running, &f.link);
        post(all, &f.call);
    }
    pthread_mutex_unlock(&all->lock);
    if (posted) {
        wait_over(all, &f);
        pthread_mutex_lock(&all->lock);
        list_remove(&f.link);
        pthread_mutex_unlock(&all->lock);
    }
    free(f.buffer);
    pthread_cond_destroy(&f.news);
    pthread_mutex_destroy(&f.lock);
}
