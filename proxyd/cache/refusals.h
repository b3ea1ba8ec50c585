/*
 * Why the last answer to a URL was not kept, whatever the reason: for whoever asks the running
 * proxy about it. Nothing is decided by it (what others need not wait for is flights.h), so a URL
 * may push another one out of its place, and no lock is needed: each place is one word.
 */
#ifndef CACHE_REFUSALS_H
#define CACHE_REFUSALS_H

#include <stdatomic.h>

#include "base/cached.h"
#include "cache/disk/cache_key.h"

enum { REFUSALS = 4096, REFUSAL_S = 3600 };

struct refusals {
    /* A tag of the key: 32 bits, when: 24 bits of seconds, enum kept: 8 bits. 0: none. */
    _Atomic u64 at[REFUSALS];
};

static inline u64 refusal_tag(const struct cache_key *key)
{
    return (key->bits[0] >> 32 | 1) << 32;
}
static inline _Atomic u64 *refusal_place(struct refusals *r, const struct cache_key *key)
{
    return &r->at[key->bits[1] % REFUSALS];
}
/* Of an answer to that URL; KEPT_YES: it was kept, and the one before does not matter any more. */
static inline void refusal_note(struct refusals *r, const struct cache_key *key, u64 now_s,
                                enum kept why)
{
    _Atomic u64 *at = refusal_place(r, key);
    if (why != KEPT_YES)
        atomic_store_explicit(at, refusal_tag(key) | (now_s & 0xffffff) << 8 | why,
                              memory_order_relaxed);
    else if (atomic_load_explicit(at, memory_order_relaxed) >> 32 == refusal_tag(key) >> 32)
        atomic_store_explicit(at, 0, memory_order_relaxed);
}
/* Why, and *ago_s since then. KEPT_YES: nothing is known, or it is more than an hour ago. */
static inline enum kept refusal_noted(struct refusals *r, const struct cache_key *key, u64 now_s,
                                      u64 *ago_s)
{
    u64 word = atomic_load_explicit(refusal_place(r, key), memory_order_relaxed);
    *ago_s = (now_s - (word >> 8)) & 0xffffff;
    bool known = word >> 32 == refusal_tag(key) >> 32 && *ago_s < REFUSAL_S;
    return known ? (enum kept)(word & 0xff) : KEPT_YES;
}

#endif
