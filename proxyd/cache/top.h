/* What of a cache has saved most, in memory and on disk, for people who look at it: no list is kept
 * in order for it, each asking goes through all that is in memory. */
#ifndef CACHE_TOP_H
#define CACHE_TOP_H

#include "cache/cache.h"

enum { TOP_MOST = 10 };

struct top {
    unsigned n;
    struct saver row[TOP_MOST]; /* that has saved most first */
};

/* Takes those of c into t, which may have rows of others already. With a million objects it takes
 * 0.1 s, and no lock for longer than some hundred of them take: not for workers. */
void top_of(struct cache *c, u64 now_s, struct top *t);

#endif
