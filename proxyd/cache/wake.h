/*
 * An exchange that waits for something another worker brings about. Each wait is memory of its own
 * on the heap, because a call that has been posted cannot be taken back: when the exchange ends
 * meanwhile, the call finds nobody and frees it.
 *
 * What is waited for has a list of waits and a lock; both of them only move pointers under it.
 */
#ifndef CACHE_WAKE_H
#define CACHE_WAKE_H

#include <pthread.h>

#include "base/call.h"
#include "base/list.h"
#include "core/types.h"

enum wake_reason {
    WAKE_NONE,  /* not yet */
    WAKE_AGAIN, /* look once more */
    WAKE_ALONE, /* nothing will come of it for others */
    WAKE_CUT    /* the origin has failed too often: nobody else is to ask it for that now */
};

struct wake {
    struct call call;
    struct list link; /* among those that wait; under the lock of what they wait for, as `posted` */
    struct worker *worker;
    struct xchg *x; /* its worker's; NULL: it has gone */
    bool posted;
    u8 reason;  /* enum wake_reason, of the call that is posted; under that lock, too */
    u8 arrived; /* of the one that has come last: its worker's */
};

/* NULL: no memory. On the exchange's worker, as wake_wait and wake_leave. */
struct wake *wake_new(struct xchg *x);
/* Under the lock: joins those that wait, unless it does already or is on its way; nothing has
 * arrived then. */
void wake_wait(struct wake *w, struct list *waiting);
/* Under the lock, any thread: all of them get their calls. */
void wake_all(struct list *waiting, enum wake_reason reason);
/* The exchange waits no more. *w is NULL then. */
void wake_leave(struct wake **w, pthread_mutex_t *lock);

#endif
