/*
 * The disk tier of a cache: its log (seglog.h) and the one thread that writes to it. Whatever is to
 * be written stands in a queue of so many bytes, and is refused when that is full: a disk slower
 * than the network never slows a client, it only keeps less.
 *
 * A disk that fails (full, read-only, broken, gone) is left alone for a while, told to the operator
 * once, and tried again: DISK_RETRY_S. What is found meanwhile is read as long as it can be.
 */
#ifndef CACHE_DISK_DISK_H
#define CACHE_DISK_DISK_H

#include "base/list.h"
#include "cache/disk/seglog.h"

struct disk;

enum { DISK_QUEUE = 32 << 20, DISK_RETRY_S = 10 };

/* One thing to write, in memory of whoever posts it. */
struct disk_write {
    /* On the writer's thread, in the order of posting; false: the log has failed, errno says why. */
    bool (*write)(struct disk_write *w, struct seglog *l);
    /* Thereafter, when it is in the file and found, or is not to be (good false: write has failed,
     * or was not called for the disk is out of service or closing): its last touch. */
    void (*done)(struct disk_write *w, bool good);
    u32 bytes; /* that it holds in memory until then */
    struct list link; /* disk.c's, as the next */
    bool good;
};

/* NULL: seglog_open's words. The writer loads the index first; what is posted meanwhile waits. */
struct disk *disk_open(const char *dir, u64 quota, char *why, size_t room);
/* Writes what is queued, seals and frees. Waits for the thread. */
void disk_close(struct disk *d);
struct seglog *disk_log(struct disk *d);
/* Any thread. False: the queue is full, or the disk out of service; it is the caller's again. */
bool disk_post(struct disk *d, struct disk_write *w);
/* Likewise, though the queue be full: for what must not be lost (a purge). False: no service. */
bool disk_post_always(struct disk *d, struct disk_write *w);
/* A read has failed with that errno: counted, and told. */
void disk_read_failed(struct disk *d, int error);

struct disk_counts {
    u64 queued_bytes, refused, write_errors, read_errors;
    bool loading, in_service;
};
struct disk_counts disk_counts(const struct disk *d);

#endif
