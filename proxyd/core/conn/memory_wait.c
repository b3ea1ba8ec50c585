#include "core/conn/memory_wait.h"

#include "core/report/log.h"

enum { MEMORY_RETRY_MS = 10, MEMORY_A_TURN = 64 };

bool memory_awaited(const struct worker *w)
{
    return !list_empty(&w->memory_waiters[MEMORY_BEGUN]) ||
           !list_empty(&w->memory_waiters[MEMORY_HEADS]);
}

static struct conn *next_memory_waiter(struct worker *w)
{
    struct list *n = list_pop(&w->memory_waiters[MEMORY_BEGUN]);
    if (n == NULL)
        n = list_pop(&w->memory_waiters[MEMORY_HEADS]);
    return n ? container_of(n, struct conn, memory_link) : NULL;
}

/* Who gets nothing this time either is the last in line again. */
void memory_wait_expired(struct timer *t)
{
    struct worker *w = container_of(t, struct worker, memory_timer);
    struct conn *c;
    for (unsigned i = 0; i < MEMORY_A_TURN && (c = next_memory_waiter(w)) != NULL; i++)
        loop_again(&w->loop, &c->stream.io);
    if (memory_awaited(w))
        timer_set(&w->loop.wheel, t, worker_ms(w) + MEMORY_RETRY_MS);
}

void memory_wait(struct worker *w, struct conn *c)
{
    c->awaits_memory = true;
    if (!list_empty(&c->memory_link))
        return;
    if (log_limited(w, LIMITED_MEMORY))
        log_error(w, LEVEL_WARNING, "limits memory is reached: new work waits");
    enum memory_queue line = conn_user_begins(c->user) ? MEMORY_HEADS : MEMORY_BEGUN;
    list_push_back(&w->memory_waiters[line], &c->memory_link);
    if (!timer_armed(&w->memory_timer))
        timer_set(&w->loop.wheel, &w->memory_timer, worker_ms(w) + MEMORY_RETRY_MS);
}
