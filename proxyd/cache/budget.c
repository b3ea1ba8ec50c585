#include "cache/budget.h"

#include <stdlib.h>

static bool count(struct budget *b, u64 n)
{
    u64 most = atomic_load_explicit(&b->most, memory_order_relaxed);
    if (n > most)
        return false;
    if (atomic_fetch_add(&b->used, n) + n <= most)
        return true;
    if (b->make_room)
        b->make_room(b);
    if (atomic_load(&b->used) <= most)
        return true;
    atomic_fetch_sub(&b->used, n);
    return false;
}

void *budget_take(struct budget *b, size_t n)
{
    if (!count(b, n + MALLOC_HEAD))
        return NULL;
    void *p = malloc(n);
    if (p == NULL)
        atomic_fetch_sub(&b->used, n + MALLOC_HEAD);
    return p;
}

bool budget_may_grow(const struct budget *b, u64 n, enum growing how)
{
    u64 most = atomic_load_explicit(&b->most, memory_order_relaxed);
    u64 used = atomic_load_explicit(&b->used, memory_order_relaxed);
    u64 kept = atomic_load_explicit(&b->kept, memory_order_relaxed);
    u64 held = used > kept ? used - kept : 0;
    return held + n <= most / 2 + (how == GROW_MORE ? most / 8 : 0);
}

void *budget_take_growing(struct budget *b, size_t n, enum growing how)
{
    return budget_may_grow(b, n, how) ? budget_take(b, n) : NULL;
}

bool budget_count_growing(struct budget *b, size_t n, enum growing how)
{
    return budget_may_grow(b, n, how) && count(b, n);
}

void budget_uncount(struct budget *b, size_t n)
{
    atomic_fetch_sub(&b->used, n);
}

void budget_give(struct budget *b, void *p, size_t n)
{
    if (p == NULL)
        return;
    free(p);
    atomic_fetch_sub(&b->used, n + MALLOC_HEAD);
}
