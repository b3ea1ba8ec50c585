/*
 * The typed form of cached.tbl and kept.tbl: what a cache was to a request, and why an answer was
 * not kept. They stand here, below the cache itself, because the log and the metrics say them too.
 */
#ifndef BASE_CACHED_H
#define BASE_CACHED_H

#include "base/types.h"

enum cached {
#define CACHED(name, word, squid, help) CACHED_##name,
#include "base/cached.tbl"
#undef CACHED
    CACHED_COUNT
};

enum kept {
#define KEPT(name, word, text) KEPT_##name,
#include "base/kept.tbl"
#undef KEPT
    KEPT_COUNT
};

struct cached_info {
    const char *word, *squid, *help;
};
struct kept_info {
    const char *word, *text;
};

const struct cached_info *cached_info(enum cached c);
const struct kept_info *kept_info(enum kept k);

/* The answer came from the cache, and nobody was asked for it. */
static inline bool cached_unasked(unsigned c)
{
    return c >= CACHED_HIT && c <= CACHED_JOINED;
}
/* Likewise, or its body did. */
static inline bool cached_saved(unsigned c)
{
    return c >= CACHED_HIT && c <= CACHED_RESCUED;
}

#endif
