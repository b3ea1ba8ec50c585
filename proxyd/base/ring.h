/*
 * Record ring with one producer and one consumer: how a worker logs without ever waiting.
 *
 * A record is u32 length + payload, padded to 8 bytes; one that would cross the end of the area is
 * preceded by a filler of length 0 and starts at offset 0. The producer publishes with one release
 * store, and when there is no room it drops the record and counts it.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdatomic.h>

#include "base/slice.h"

struct ring {
    char *area;
    u32 size;                      /* power of two */
    _Alignas(CACHE_LINE) u64 head; /* producer's own: next byte to write */
    u64 tail_seen;                 /* producer's copy of tail, to spare the other's cache line */
    u64 reserved;                  /* payload bytes of the open reservation */
    _Atomic u64 dropped;           /* records lost for want of room */
    _Alignas(CACHE_LINE) _Atomic u64 ready; /* published by the producer */
    _Alignas(CACHE_LINE) _Atomic u64 tail;  /* published by the consumer */
};

void ring_init(struct ring *r, u32 size);
void ring_free(struct ring *r);

/* Producer: room for n payload bytes, or NULL (counted as dropped). */
void *ring_reserve(struct ring *r, u32 n);
/* Producer: publishes the reservation, of which n bytes are used (n at most what was reserved). */
void ring_commit(struct ring *r, u32 n);
/* Producer: bytes not yet consumed, as far as known; for wake-up heuristics. */
static inline u64 ring_backlog(struct ring *r)
{
    return r->head - atomic_load_explicit(&r->tail, memory_order_relaxed);
}

/* Consumer: the oldest record, or p == NULL. It stays valid until ring_pop. */
struct slice ring_peek(struct ring *r);
void ring_pop(struct ring *r);

#endif
