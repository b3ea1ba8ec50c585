/* What of the memory of a cache has saved most, for people who look at it: no list is kept in
 * order for it, each asking goes through all of them. */
#ifndef CACHE_TOP_H
#define CACHE_TOP_H

#include "cache/memory.h"

enum { TOP_MOST = 10, TOP_URL = 160 };

struct top_row {
    struct cache_key key;
    u64 variant;
    u64 saved, bytes; /* that came from here instead of from an origin; of the body */
    u64 age;          /* seconds */
    struct slice url; /* in area: without its query, and cut */
    char area[TOP_URL + sizeof "?…"];
};

struct top {
    unsigned n;
    struct top_row *row[TOP_MOST]; /* largest `saved` first; each malloc'd */
};

/* Takes those of m into t, which may have rows of others already. With a million objects it takes
 * 0.1 s, and no lock for longer than some hundred of them take: not for workers. */
void top_of(struct memory *m, u64 now_s, struct top *t);
void top_free(struct top *t);

#endif
