/*
 * Has anything been purged since then? What is fetched when something is purged shows perhaps what
 * the purge was to take away, and is not in the cache yet, where the purge would find it. So
 * whoever goes to the origin notes the epoch of its key before, and keeps nothing when it has
 * changed.
 *
 * A purge begins a new epoch first, and takes out then; a fetch puts in first, and looks at the
 * epoch then: so one of the two sees the other.
 */
#ifndef CACHE_EPOCHS_H
#define CACHE_EPOCHS_H

#include <stdatomic.h>

#include "cache/disk/cache_key.h"

enum { EPOCHS = 1024 }; /* keys that share one are no more than that: not kept once too often */

struct epochs {
    _Atomic u32 all;          /* purges of whatever URLs */
    _Atomic u32 some[EPOCHS]; /* of one key; [key % EPOCHS] */
};

/* Of a key now. It is another one once the key has been purged, or all have. */
static inline u64 epoch_of(struct epochs *e, const struct cache_key *key)
{
    return (u64)atomic_load(&e->all) << 32 | atomic_load(&e->some[key->bits[1] % EPOCHS]);
}
/* Of a purge: of one key, or of whatever URLs. */
static inline void epoch_begin(struct epochs *e, const struct cache_key *key)
{
    atomic_fetch_add(&e->some[key->bits[1] % EPOCHS], 1);
}
static inline void epoch_begin_all(struct epochs *e)
{
    atomic_fetch_add(&e->all, 1);
}

#endif
