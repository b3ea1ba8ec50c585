/* What a cache keeps of one URL, a line for each response, for `proxyd cache show` and `why`. */
#ifndef PROXYD_CACHE_SHOW_H
#define PROXYD_CACHE_SHOW_H

#include <stdio.h>

#include "cache/cache.h"
#include "cache_asked.h"

/* In memory. url: as caches compare it (cache_url_write); now_s: since 1970; `asked`: each is told
 * of what it is to that request, NULL: it is not. Any thread. */
void cache_show_memory(FILE *to, struct memory *m, struct slice url, u64 now_s,
                       const struct asked *asked);
/* On disk, which is read for it: only on a thread that may block. spaces: those that the URL may be
 * kept in, a line each, for on disk the space is a part of the key; url->space is not looked at. */
void cache_show_disk(FILE *to, struct disk *d, const struct cache_url *url, struct slice spaces,
                     u64 now_s, const struct asked *asked);

#endif
