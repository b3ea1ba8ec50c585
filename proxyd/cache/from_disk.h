/*
 * Looking for what an exchange wants in the disk tier, and bringing it into memory. A worker reads
 * what the system has in memory anyway; else one of the offload threads does, while the exchange
 * waits.
 *
 * The hard thing is that whatever lies there may have been purged, replaced, changed or torn since
 * it was found: it is believed when its checksum, its key, its URL and its variant are right, and
 * is found in memory from then on only if it is still found on disk, too.
 */
#ifndef CACHE_FROM_DISK_H
#define CACHE_FROM_DISK_H

#include "cache/notes.h"

enum from_disk {
    DISK_NONE,
    DISK_FOUND, /* *o is held */
    DISK_COLD   /* the disk would have to be waited for: notes.load is what is to be read */
};

/* Is it there, or so it seems? Nothing is read. */
bool from_disk_has(struct xchg *x);
enum from_disk from_disk_find(struct xchg *x, struct object **o);
/* After COLD: it is read, and xchg_wake will come. False: it is not, and notes.load is gone. */
bool from_disk_read(struct xchg *x);
/* Has it been read? */
bool from_disk_is_read(const struct load *l);
/* Then: what has come of it, NONE or FOUND. notes.load is gone. */
enum from_disk from_disk_take(struct xchg *x, struct object **o);
/* The exchange wants it no more, whatever its state; NULL is fine. *l is NULL then. */
void from_disk_end(struct load **l);

#endif
