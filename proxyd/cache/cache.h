/*
 * A cache of the configuration: one for all that name it, workers and listeners, in the registry,
 * so that it outlives a configuration; and how a listener or a route uses it, in a snapshot.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "cache/epochs.h"
#include "cache/flights.h"
#include "cache/memory.h"
#include "cache/refusals.h"
#include "cache/savers.h"
#include "cache/tier.h"
#include "core/exchange/store.h"

struct cache {
    struct memory memory;
    struct tier tier;
    struct flights flights;
    struct savers savers;
    struct epochs epochs;
    struct refusals refusals;
    _Atomic u64 generation; /* of the configuration whose sizes are in force */
};

struct cache_conf {
    struct slice name;
    u64 memory, size, max_object; /* bytes; size: on disk */
    u32 min_uses;
    bool whole_for_range; /* `range whole` */
    u64 slice;            /* bytes: `range slice`; 0: none are made */
    const char *path;     /* NULL: no disk */
    bool own_path;        /* own_folder.h has chosen it */
};

struct cache_use {
    struct store store; /* first: an exchange knows this one */
    struct cache *cache;
    struct cache_conf conf;
    bool origin_side; /* of the origin: a request with Authorization or Cookie passes */
};

/* An entry: a cache has lines of its own, which the registry does not give. */
struct cache_entry {
    struct cache *cache;
};
extern const struct registry_kind caches;
/* The functions of every use. */
extern const struct store cache_store;

/* The use of a cache that the exchange's store is. */
static inline const struct cache_use *cache_use_of(const struct store *s)
{
    return container_of(s, struct cache_use, store);
}

#endif
