#include "cache/body.h"

#include "base/must.h"
#include "cache/wake.h"

struct body *body_new(struct budget *budget, u64 length)
{
    struct body *b = budget_take(budget, sizeof *b);
    if (b == NULL)
        return NULL;
    *b = (struct body){ .holders = 1, .budget = budget, .length = length };
    pthread_mutex_init(&b->lock, NULL);
    list_init(&b->waiting);
    return b;
}

void body_hold(struct body *b)
{
    atomic_fetch_add_explicit(&b->holders, 1, memory_order_relaxed);
}

void body_put(struct body *b)
{
    if (atomic_fetch_sub(&b->holders, 1) != 1)
        return;
    expect(list_empty(&b->waiting));
    for (struct chunk *c = b->first, *next; c; c = next) {
        next = c->next;
        budget_give(b->budget, c, sizeof *c + c->cap);
    }
    pthread_mutex_destroy(&b->lock);
    budget_give(b->budget, b, sizeof *b);
}

/* What is known to come lies in as few pieces as can be, so that it goes out in one call. */
static u32 room_for(const struct body *b, size_t n)
{
    u64 want = b->length != UINT64_MAX ? b->length - b->have : b->have > n ? b->have : n;
    if (b->length == UINT64_MAX && want < CHUNK_LEAST)
        want = CHUNK_LEAST;
    return want < CHUNK_MOST ? (u32)want : CHUNK_MOST;
}

/* Room in the last chunk: by the filler alone, so its reads need no lock. */
static bool more_room(struct body *b, size_t n)
{
    if (b->last && b->last->n < b->last->cap)
        return true;
    u32 cap = room_for(b, n);
    struct chunk *c = budget_take_growing(b->budget, sizeof *c + cap);
    if (c == NULL)
        return false;
    *c = (struct chunk){ .cap = cap };
    pthread_mutex_lock(&b->lock);
    if (b->last)
        b->last->next = c;
    else
        b->first = c;
    b->last = c;
    pthread_mutex_unlock(&b->lock);
    return true;
}

size_t body_append(struct body *b, struct slice run, u64 most)
{
    size_t taken = 0;
    while (taken < run.n && b->have < most && b->have < b->length && more_room(b, run.n - taken)) {
        struct chunk *c = b->last;
        size_t n = run.n - taken;
        if (n > c->cap - c->n)
            n = c->cap - c->n;
        if (n > most - b->have)
            n = (size_t)(most - b->have);
        memcpy(c->bytes + c->n, run.p + taken, n); /* beyond what any reader looks at */
        pthread_mutex_lock(&b->lock);
        c->n += (u32)n;
        b->have += n;
        wake_all(&b->waiting, WAKE_AGAIN);
        pthread_mutex_unlock(&b->lock);
        taken += n;
    }
    return taken;
}

void body_end(struct body *b, enum body_state how)
{
    pthread_mutex_lock(&b->lock);
    if (how == BODY_WHOLE)
        b->length = b->have;
    atomic_store_explicit(&b->state, (u8)how, memory_order_release);
    wake_all(&b->waiting, WAKE_AGAIN);
    pthread_mutex_unlock(&b->lock);
}

u64 body_have(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    u64 n = b->have;
    pthread_mutex_unlock(&b->lock);
    return n;
}
