/* The name of what is kept, in memory and on disk: 128 bits that cache/key.c makes of a URL. */
#ifndef CACHE_DISK_CACHE_KEY_H
#define CACHE_DISK_CACHE_KEY_H

#include "base/types.h"

struct cache_key {
    u64 bits[2];
};

/* Equal in all bits? */
static inline bool cache_key_same(const struct cache_key *a, const struct cache_key *b)
{
    return a->bits[0] == b->bits[0] && a->bits[1] == b->bits[1];
}

#endif
