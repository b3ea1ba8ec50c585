/*
 * An object on its way to the disk. It goes when it is whole: what is cut leaves nothing there, but
 * for the parts of a large body, which nobody finds without their record.
 *
 * The hard thing is a purge meanwhile: what it has taken out of memory must not be found on disk
 * later. So the record is posted first, and then it is looked whether the object is still found in
 * memory; a purge does it the other way round (purge.h).
 */
#ifndef CACHE_STORING_H
#define CACHE_STORING_H

#include "cache/cache.h"
#include "core/types.h"

struct storing;

/* What x fetches, or has renewed, is to be written. NULL: there is no disk, it is not worth a
 * write, or no memory. `f`: vary of the response. */
struct storing *storing_begin(struct xchg *x, const struct object_facts *f);
/* Where a body that spills goes. */
struct disk *storing_disk(const struct storing *s);
/* Its body is whole, and it is found in memory, if anywhere. Clears *s, which may be NULL. */
void storing_post(struct xchg *x, struct storing **s, struct object *o);
/* Nothing comes of it. NULL is fine; clears *s. */
void storing_drop(struct storing **s);

#endif
