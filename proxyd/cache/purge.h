/*
 * Taking out what is kept, of memory and disk at once: one function for each way to name it. When
 * it returns nobody finds it any more in any worker, nor after a restart.
 *
 * The hard thing is what is on its way from one to the other. What is being written to the disk
 * looks whether it is still in memory once it has been posted (storing.h), so memory comes first;
 * what is being read from it looks whether it is still there once it has been put into memory
 * (from_disk.h), so memory comes last, too. And a disk that is not open yet is told when it is.
 */
#ifndef CACHE_PURGE_H
#define CACHE_PURGE_H

#include "cache/cache.h"

/* All variants of a URL in its space; how many there were. Waits for no disk. */
unsigned purge_url(struct cache *c, const struct cache_url *url);
/* Of the disk alone, and whatever it may find there after a restart. */
void purge_on_disk(struct cache *c, const struct cache_url *url);
/* Likewise, but nothing is written when nothing is there: for whoever has taken out of memory what
 * is not to be found on disk either, or keeps there alone what has taken its place. How many there
 * were; waits for no disk. */
unsigned purge_if_on_disk(struct cache *c, const struct cache_url *url);

/* What is taken out, or is stale from now on (soft), in all spaces: by URL, as cache_url_write has
 * it, its beginning (empty: all), or a tag. */
struct purge_what {
    enum url_match how;
    struct slice text;
    bool soft;
};
/* How many there were in memory. Of URL_WHOLE that is not soft, in memory alone: purge_url is for
 * the disk, once for each space. *lasts is false when the disk, if there is one, could not be told:
 * it takes none and too many wait for it, or there is no memory. Not for workers. */
unsigned purge_matching(struct cache *c, const struct purge_what *what, u64 now_s, bool *lasts);

#endif
