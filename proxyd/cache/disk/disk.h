/*
 * The disk tier of a cache: its log (seglog.h) and the one thread that opens it, writes to it and
 * closes it, so that no worker ever waits for a disk. Whatever is to be written stands in a queue
 * of so many bytes, and is refused when that is full: a disk slower than the network never slows a
 * client, it only keeps less.
 *
 * A folder that cannot be opened (another process has it), and a disk that fails (full, read-only,
 * broken, gone), is left alone for a while, told to the operator once, and tried again:
 * DISK_RETRY_S. What is found meanwhile is read as long as it can be.
 *
 * The hard thing is what must not be lost: that something was purged. It waits in the queue for as
 * long as the disk is out of service, and what lies there is found only once the queue has been
 * worked off.
 */
#ifndef CACHE_DISK_DISK_H
#define CACHE_DISK_DISK_H

#include "base/list.h"
#include "cache/disk/seglog.h"

struct disk;

enum {
    DISK_QUEUE = 32 << 20,
    DISK_RETRY_S = 10, /* after a failed write */
    DISK_OPEN_S = 1    /* while it cannot be opened: the process that has it may end any moment */
};

/* One thing to write, in memory of whoever posts it. */
struct disk_write {
    /* On the writer's thread, in the order of posting; false: it is not in the log, errno says why
     * (seglog.h: some are about this one alone). */
    bool (*write)(struct disk_write *w, struct seglog *l);
    /* Thereafter, when it is in the file and found, or is not to be (good false: write has failed,
     * or was not called for the disk is out of service or closing): its last touch. On the writer's
     * thread, too. */
    void (*done)(struct disk_write *w, bool good);
    u32 bytes; /* that it holds in memory until then */
    /* disk.c's, as the next two: */
    struct list link;
    bool good, always;
};

/* Sentences for the operator, on any thread, with the path in them. */
typedef void disk_say(void *arg, bool bad, const char *line);

/* Opens nothing yet: its thread does, and reads the index. `queue`: bytes that may wait, DISK_QUEUE
 * at most. */
struct disk *disk_new(const char *dir, u64 quota, u64 queue, disk_say *say, void *arg);
/* From now on nothing is found and nothing taken; what is queued is written, the folder given back,
 * and when nobody holds it any more the thread ends. Waits for nothing. */
void disk_leave(struct disk *d);
/* Thereafter: of what is still queued only purges are written, for the process does not wait. */
void disk_hurry(struct disk *d);
/* Has the thread ended? */
bool disk_left(struct disk *d);
/* After disk_leave; waits for the thread. */
void disk_free(struct disk *d);
/* Any thread; holds from the next write on. */
void disk_resize(struct disk *d, u64 quota, u64 queue);

/* Holds the log open for the caller, who may find, read and post until disk_let. False: it is not
 * open, or not read yet. */
bool disk_use(struct disk *d);
/* Once more, for whoever holds it already. */
void disk_hold(struct disk *d);
/* Gives back what disk_use or disk_hold gave. */
void disk_let(struct disk *d);
/* While it is held. */
struct seglog *disk_log(struct disk *d);
/* Its oldest segments go as new ones come: what is worth a write is to be chosen. */
bool disk_is_full(const struct disk *d);

/* Any thread. False: the queue is full, or the disk out of service; it is the caller's again. */
bool disk_post(struct disk *d, struct disk_write *w);
/* For what must not be lost (a purge), though the queue be full or the log not open; one that fails
 * is tried again. Whoever posts it need not hold the disk. False: it leaves, or DISK_QUEUE bytes of
 * such wait already (then see disk_doubt). */
bool disk_post_always(struct disk *d, struct disk_write *w);
/* Something was lost that must not be: what lies there is stale from now on. */
void disk_doubt(struct disk *d);
/* A read has failed with that errno (0: what was read is not what was written): counted, and told
 * once a minute. */
void disk_read_failed(struct disk *d, int error);

struct disk_counts {
    u64 queued_bytes, refused, write_errors, read_errors;
    bool loading, in_service; /* in_service: it is open, and writes are taken */
    struct seglog_counts log; /* as of the last write; zeros while it is not open */
};
/* Any thread. */
struct disk_counts disk_counts(struct disk *d);

#endif
