#include "cache/wake.h"

#include <stdlib.h>

#include "core/exchange/xchg.h"

static void run(struct call *call, void *receiver)
{
    struct wake *w = container_of(call, struct wake, call);
    struct worker *worker = receiver;
    if (w->x == NULL) {
        worker->jobs--;
        free(w);
        return;
    }
    w->posted = false; /* it is in no list, so nobody else looks at it */
    w->arrived = w->reason;
    xchg_wake(w->x);
}

struct wake *wake_new(struct xchg *x)
{
    struct wake *w = malloc(sizeof *w);
    if (w == NULL)
        return NULL;
    *w = (struct wake){ .call.run = run, .worker = x->worker, .x = x };
    list_init(&w->link);
    x->worker->jobs++; /* its loop stays as long as a call may come */
    return w;
}

void wake_wait(struct wake *w, struct list *waiting)
{
    w->arrived = WAKE_NONE;
    if (!w->posted && list_empty(&w->link))
        list_push_back(waiting, &w->link);
}

void wake_all(struct list *waiting, enum wake_reason reason)
{
    struct list *n;
    while ((n = list_pop(waiting)) != NULL) {
        struct wake *w = container_of(n, struct wake, link);
        w->posted = true;
        w->reason = (u8)reason;
        loop_post(&w->worker->loop, &w->call);
    }
}

void wake_leave(struct wake **at, pthread_mutex_t *lock)
{
    struct wake *w = *at;
    *at = NULL;
    pthread_mutex_lock(lock);
    list_remove(&w->link);
    bool posted = w->posted;
    pthread_mutex_unlock(lock);
    if (posted) {
        w->x = NULL;
        return;
    }
    w->worker->jobs--;
    free(w);
}
