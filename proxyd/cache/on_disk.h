/* What lies on disk of a URL, for people: read and checked while they wait, so not for workers. */
#ifndef CACHE_ON_DISK_H
#define CACHE_ON_DISK_H

#include "cache/cache.h"
#include "cache/stored.h"

/* Calls `each` for all variants of a URL in its space that would be found; `r` and `m` live until
 * it returns. `stale`: a soft purge has made it so. The caller holds the disk. */
void on_disk_each(struct disk *d, const struct cache_url *url,
                  void (*each)(void *ctx, const struct seglog_record *r,
                               const struct stored_meta *m, bool stale),
                  void *ctx);

#endif
