#include "base/ring.h"

#include <stdlib.h>

#include "base/must.h"

enum { LENGTH = 8 }; /* u32 length, padded so that payloads are 8-byte aligned */

void ring_init(struct ring *r, u32 size)
{
    must(size >= 64 && (size & (size - 1)) == 0);
    memset(r, 0, sizeof *r);
    r->area = must_alloc(size);
    r->size = size;
}

void ring_free(struct ring *r)
{
    free(r->area);
    r->area = NULL;
}

static u64 record_size(u64 payload)
{
    return LENGTH + ((payload + 7) & ~7ull);
}

static void put_length(struct ring *r, u64 at, u32 n)
{
    memcpy(r->area + at % r->size, &n, sizeof n);
}

static bool has_room(struct ring *r, u64 need)
{
    if (r->head + need - r->tail_seen <= r->size)
        return true;
    r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    return r->head + need - r->tail_seen <= r->size;
}

void *ring_reserve(struct ring *r, u32 n)
{
    u64 need = record_size(n);
    u64 to_end = r->size - r->head % r->size;
    u64 filler = need > to_end ? to_end : 0;
    if (unlikely(n == 0 || need > r->size / 2 || !has_room(r, need + filler))) {
        atomic_fetch_add_explicit(&r->dropped, 1, memory_order_relaxed);
        return NULL;
    }
    if (filler) {
        put_length(r, r->head, 0);
        r->head += filler;
    }
    r->reserved = n;
    return r->area + r->head % r->size + LENGTH;
}

void ring_commit(struct ring *r, u32 n)
{
    expect(n > 0 && n <= r->reserved);
    put_length(r, r->head, n);
    r->head += record_size(n);
    atomic_store_explicit(&r->ready, r->head, memory_order_release);
}

struct slice ring_peek(struct ring *r)
{
    u64 tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    for (;;) {
        if (tail == atomic_load_explicit(&r->ready, memory_order_acquire))
            return (struct slice){ NULL, 0 };
        u32 n;
        memcpy(&n, r->area + tail % r->size, sizeof n);
        if (n)
            return (struct slice){ r->area + tail % r->size + LENGTH, n };
        tail += r->size - tail % r->size;
        atomic_store_explicit(&r->tail, tail, memory_order_release);
    }
}

void ring_pop(struct ring *r)
{
    u64 tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    u32 n;
    memcpy(&n, r->area + tail % r->size, sizeof n);
    atomic_store_explicit(&r->tail, tail + record_size(n), memory_order_release);
}
