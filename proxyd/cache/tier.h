/*
 * The disk that belongs to a cache, as the configuration wants it now: opened, changed, handed over
 * and closed off the workers, who only ever borrow it.
 *
 * The hard thing is when it may be opened: the configuration that is only checked opens nothing,
 * nor does root before it has become the user that is wanted; and when it is given back: as soon as
 * the process drains, so that the next one has it.
 */
#ifndef CACHE_TIER_H
#define CACHE_TIER_H

#include <pthread.h>

#include "cache/disk/disk.h"
#include "cache/ghosts.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"

struct tier {
    pthread_mutex_t lock;        /* guards what follows */
    _Atomic(struct disk *) disk; /* NULL: none is wanted, or it is handed over */
    struct disk *leaving[4];     /* that still have holders, or write */
    char *dir, *name;            /* of disk, of the cache; NULL: there was none yet */
    struct ghosts seen;          /* what was offered once while the disk is full */
};

/* Without a disk. */
void tier_init(struct tier *t);
/* Closes it; waits for what is still to be written. Nobody holds it any more. */
void tier_end(struct tier *t);

/* Holds the disk, until disk_let. NULL: there is none, or it is not open. Any thread. */
struct disk *tier_use(struct tier *t);
/* Is there a disk, open or not? Any thread. */
static inline bool tier_has_disk(const struct tier *t)
{
    return atomic_load_explicit(&t->disk, memory_order_relaxed) != NULL;
}
/* The disk is to learn what must not be lost, though it be not open. False: there is none, it
 * leaves, or too much waits already; the write is the caller's again. */
bool tier_post_always(struct tier *t, struct disk_write *w);
/* Such a thing was lost: what lies there is validated before it is used. */
void tier_doubt(struct tier *t);
/* Is that worth a write now? When the disk is full, what comes for the second time. */
bool tier_admits(struct tier *t, const struct disk *d, u64 key);
/* Of its disk; zeros where *has_disk is false. Any thread. */
struct disk_counts tier_counts(struct tier *t, bool *has_disk);

/* ---- the caches of the process ---- */

/* Before root's rights are given up: their folders are made for that user. */
void caches_give_folders(const struct snapshot *s, unsigned uid, unsigned gid);
/* Once the process is who it will be: from now on there are disks. `say`: sentences for the error
 * log, from any thread but a worker. */
void caches_start(const struct snapshot *s, disk_say *say, void *arg);
/* Another configuration is in force. */
void caches_follow(const struct snapshot *s);
/* The process drains: all folders are given back, and nothing is said any more. */
void caches_leave(struct registry *r);
/* Thereafter: the process does not wait until all is on disk that is queued. */
void caches_hurry(struct registry *r);
/* Have the threads of all disks ended? */
bool caches_left(struct registry *r);

#endif
