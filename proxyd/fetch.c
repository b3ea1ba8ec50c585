#include "fetch.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"
#include "core/codec/internal.h"
#include "core/common/snapshot.h"
#include "http/token.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

enum { LONGEST_URL = 8000, MOST_BYTES = 100 << 20, LOOK_MS = 200 };

struct fetching {
    struct engine *engine;
    pthread_mutex_t lock; /* held while a fetch is posted, so that none is after the end */
    bool ending;
};

/* One fetch. The worker writes what comes after `call`, until `done` says that it has finished. */
struct fetch {
    struct requester requester; /* first: it is the requester */
    struct call call, stop;
    struct slice url, listener;
    char *name; /* of the listener that was asked */
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done, begun, refused; /* refused: there is no such listener, or no memory */
    bool stopping;             /* `stop` is on its way to the worker */
    struct xchg_facts facts;
    char rule[64];
    u16 status;
    u64 bytes, end_us;
    bool too_long;
    enum fault fault;
};

static struct fetch *fetch_of(struct requester *r)
{
    return container_of(r, struct fetch, requester);
}

/* ---- on the worker ---- */

static void note_facts(struct fetch *f)
{
    internal_facts(&f->requester, &f->facts);
    struct text t = text_in(f->rule, sizeof f->rule);
    text_add(&t, f->facts.rule);
    f->facts.rule = t.full ? SLICE("") : text_slice(&t);
}

static enum flow on_head(struct requester *r, const struct msg *resp)
{
    struct fetch *f = fetch_of(r);
    f->status = resp->status;
    note_facts(f);
    return FLOW_OK;
}

static enum flow on_bytes(struct requester *r, struct slice run, size_t *taken)
{
    struct fetch *f = fetch_of(r);
    if (f->bytes + run.n > MOST_BYTES) {
        f->too_long = true;
        return FLOW_FAULT;
    }
    f->bytes += run.n;
    *taken = run.n;
    return FLOW_OK;
}

static void finish(struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    f->done = true;
    pthread_cond_signal(&f->over);
    pthread_mutex_unlock(&f->lock);
}

static void on_end(struct requester *r, enum fault fault)
{
    struct fetch *f = fetch_of(r);
    f->fault = fault;
    f->end_us = r->worker->loop.now.mono_us;
    finish(f);
}

static const struct listener *find_listener(const struct snapshot *s, struct slice name)
{
    for (u32 i = 0; i < s->nlisteners; i++)
        if (name.n == 0 || slice_eq(s->listeners[i].name, name))
            return &s->listeners[i];
    return NULL;
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
    struct worker *w = receiver;
    const struct listener *l = find_listener(w->snapshot, f->listener);
    char area[2 * LONGEST_URL + 256];
    struct text t = text_in(area, sizeof area);
    text_fmt(&t,
             "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: proxyd/" PROXYD_VERSION
             "\r\nAccept: */*\r\n\r\n",
             SLICE_FMT(f->url), SLICE_FMT(authority_of(f->url)));
    must(!t.full);
    if (l)
        f->name = strndup(l->name.p, l->name.n);
    f->begun = l && f->name && internal_open(w, l->at, text_slice(&t), &f->requester);
    f->refused = l == NULL;
    if (!f->begun)
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
    pthread_cond_signal(&f->over);
    pthread_mutex_unlock(&f->lock);
}

/* ---- the report ---- */

static void put_ms(FILE *to, const char *what, u64 from, u64 until)
{
    if (until && from)
        fprintf(to, "%-11s %llu.%01llu ms\n", what, (unsigned long long)((until - from) / 1000),
                (unsigned long long)((until - from) / 100 % 10));
}

static void put_times(FILE *to, const struct fetch *f)
{
    const struct xchg_facts *x = &f->facts;
    u64 before_connect = x->resolved_us ? x->resolved_us : x->start_us;
    put_ms(to, "look-up", x->start_us, x->resolved_us);
    put_ms(to, "connect", before_connect, x->connected_us);
    put_ms(to, "first byte", x->connected_us ? x->connected_us : x->start_us, x->first_us);
    put_ms(to, "all", x->start_us, f->end_us);
}

static void put_answer(FILE *to, const struct fetch *f)
{
    const struct xchg_facts *x = &f->facts;
    char area[ADDR_TEXT];
    struct text server = text_in(area, sizeof area);
    fprintf(to, "%-11s %u %.*s%s\n", "status", f->status, SLICE_FMT(status_reason(f->status)),
            x->is_local ? ", of the proxy itself" : "");
    if (x->is_local && x->fault)
        fprintf(to, "%-11s %s: %s\n", "cause", fault_info((enum fault)x->fault)->token,
                fault_info((enum fault)x->fault)->text);
    if (x->rule.n)
        fprintf(to, "%-11s %.*s\n", "rule", SLICE_FMT(x->rule));
    if (x->server.family) {
        addr_text_port(&server, &x->server);
        fprintf(to, "%-11s %.*s%s\n", "server", SLICE_FMT(text_slice(&server)),
                x->idle ? ", by a connection that was open" : "");
    }
    put_times(to, f);
    fprintf(to, "%-11s %llu bytes%s\n", "body", (unsigned long long)f->bytes,
            f->too_long              ? ", given up there"
            : f->fault == FAULT_NONE ? ""
                                     : ", then cut");
}

static unsigned report(FILE *to, const struct fetch *f)
{
    if (f->refused) {
        fprintf(to, "there is no listener %.*s\n", SLICE_FMT(f->listener));
        return 400;
    }
    if (!f->begun) {
        fputs("the proxy ends, or has no memory for it\n", to);
        return 503;
    }
    fprintf(to, "%-11s %.*s\n%-11s %s\n", "url", SLICE_FMT(f->url), "listener", f->name);
    if (f->status == 0) {
        fprintf(to, "%-11s %s: %s\n", "cause", fault_info(f->fault)->token,
                fault_info(f->fault)->text);
        return 502;
    }
    put_answer(to, f);
    return f->fault == FAULT_NONE || f->too_long ? 200 : 502;
}

/* ---- whoever asks ---- */

struct fetching *fetching_new(struct engine *e)
{
    struct fetching *f = must_zalloc(sizeof *f);
    f->engine = e;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void fetching_end(struct fetching *f)
{
    pthread_mutex_lock(&f->lock);
    f->ending = true;
    pthread_mutex_unlock(&f->lock);
}

void fetching_free(struct fetching *f)
{
    if (f)
        pthread_mutex_destroy(&f->lock);
    free(f);
}

/* Blanks and controls would end the request line; the parser judges all else. */
static bool url_fits(struct slice url)
{
    for (size_t i = 0; i < url.n; i++)
        if ((u8)url.p[i] <= ' ' || url.p[i] == 0x7f)
            return false;
    return url.n > 0 && url.n <= LONGEST_URL;
}

static bool post(struct fetching *f, struct call *call)
{
    pthread_mutex_lock(&f->lock);
    bool taken = !f->ending;
    if (taken)
        loop_post(&f->engine->workers[0]->loop, call);
    pthread_mutex_unlock(&f->lock);
    return taken;
}

static bool has_gone(int caller)
{
    struct pollfd p = { .fd = caller };
    return caller >= 0 && poll(&p, 1, 0) > 0;
}

static void wait_some(struct fetch *f)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    u64 ns = (u64)limit.tv_nsec + LOOK_MS * 1000000ull;
    limit.tv_sec += (time_t)(ns / 1000000000);
    limit.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&f->over, &f->lock, &limit);
}

/* When the caller has gone, the request is ended once. When the process ends, the drain does it. */
static void wait_over(struct fetching *all, struct fetch *f, int caller)
{
    bool stopped = false;
    pthread_mutex_lock(&f->lock);
    while (!f->done || f->stopping) {
        wait_some(f);
        if (f->done || stopped || !has_gone(caller))
            continue;
        stopped = f->stopping = true;
        pthread_mutex_unlock(&f->lock);
        bool posted = post(all, &f->stop);
        pthread_mutex_lock(&f->lock);
        if (!posted)
            f->stopping = false;
    }
    pthread_mutex_unlock(&f->lock);
}

unsigned fetch_run(struct fetching *f, struct slice what, int caller, char **text)
{
    struct fetch one = { .requester = { .head = on_head, .bytes = on_bytes, .end = on_end },
                         .call.run = begin,
                         .stop.run = stop };
    size_t n;
    unsigned status;
    FILE *to = open_memstream(text, &n);
    must(to != NULL);
    slice_cut(&what, ' ', &one.url);
    one.listener = what;
    if (!url_fits(one.url)) {
        fputs("that is no URL: http://HOST/… is wanted\n", to);
        fclose(to);
        return 400;
    }
    pthread_mutex_init(&one.lock, NULL);
    pthread_cond_init(&one.over, NULL);
    if (post(f, &one.call))
        wait_over(f, &one, caller);
    status = report(to, &one);
    fclose(to);
    free(one.name);
    pthread_cond_destroy(&one.over);
    pthread_mutex_destroy(&one.lock);
    return status;
}
