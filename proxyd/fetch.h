/*
 * An URL that the proxy itself asks for: by `proxyd ctl fetch` as a client of a listener would, or
 * for a list by a listener that nobody else reaches. The request takes the same steps as any other
 * (core/codec/internal.h); whoever asks blocks on a thread of its own.
 *
 * The hard thing is that body and thread do not go at the same pace, and that neither may wait for
 * the other for ever: the worker puts what comes into a buffer of bounded size and is told to go on
 * when there is room again; a fetch ends by itself, when its time is up, or when nobody wants it.
 */
#ifndef PROXYD_FETCH_H
#define PROXYD_FETCH_H

#include "core/codec/leg.h"
#include "core/worker.h"

struct listener;
struct fetching; /* those that run, and whether new ones are taken */

struct fetching *fetching_new(struct engine *e);
/* From now on a new one is refused, and those that are `dispensable` end. Before the workers drain:
 * the others are still carried out or cut by the drain, so that nobody waits for ever. */
void fetching_end(struct fetching *f);
/* When nobody can ask any more. NULL is fine. */
void fetching_free(struct fetching *f);

struct fetch_order {
    struct slice url;    /* http://HOST/…, of at most FETCH_URL bytes */
    struct slice fields; /* of the request, besides Host and User-Agent; each ends with CRLF */
    /* Whose role decides: the caller's own, which nobody listens on; or NULL: the one of that name
     * in the configuration, the first when it is empty. */
    const struct listener *by;
    struct slice listener;
    u64 most;         /* bytes of the body */
    u64 limit_ms;     /* until the end of the body; 0: none */
    bool dispensable; /* nobody misses it when the process ends */
    /* All may be NULL. The final head, on the worker, which must not wait; false: no body. */
    bool (*head)(void *ctx, const struct msg *resp);
    /* A part of the body, on the thread that asked, which may block; false: no more. */
    bool (*body)(void *ctx, struct slice run);
    /* Does nobody want it any more? Asked now and then on that thread. */
    bool (*unwanted)(void *ctx);
    void *ctx;
};

enum { FETCH_URL = 8000, FETCH_RULE = 64, FETCH_NAME = 72 };

enum fetch_end {
    FETCH_WHOLE,    /* the answer came to its end */
    FETCH_NO_URL,   /* `url` cannot be one */
    FETCH_NOBODY,   /* there is no listener of that name */
    FETCH_ENDING,   /* the process ends, or has no memory for it */
    FETCH_FAILED,   /* `fault` says why; with a status: in the middle of the body */
    FETCH_TOO_LONG, /* more than `most` */
    FETCH_LATE,     /* the time was up */
    FETCH_GIVEN_UP, /* a function of the order wanted no more */
};

struct fetch_result {
    enum fetch_end end;
    enum fault fault;
    u16 status; /* 0: no answer came */
    u64 bytes;  /* of the body */
    u64 end_us;
    struct xchg_facts facts;
    char rule[FETCH_RULE], name[FETCH_NAME]; /* of the rule that decided, of the listener */
};

/* Blocks until it is over. Any thread but a worker's. */
void fetch_run(struct fetching *f, const struct fetch_order *o, struct fetch_result *r);

#endif
