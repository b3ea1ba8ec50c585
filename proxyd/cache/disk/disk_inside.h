/*
 * The two halves of disk.h: what any thread may call, and the writer's thread. Only disk.c and
 * disk_writer.c include this.
 */
#ifndef CACHE_DISK_DISK_INSIDE_H
#define CACHE_DISK_DISK_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "cache/disk/disk.h"

enum { DISK_LINE = 512, DISK_SECOND = 1000000 /* in microseconds */ };

struct disk {
    char *dir;
    disk_say *say;
    void *arg;
    pthread_t thread;
    _Atomic bool stop;  /* reading of the index */
    _Atomic bool hurry; /* what may be lost is not written any more */
    _Atomic bool full;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct seglog *log; /* changed by the thread alone, while nobody holds it */
    u32 holders;
    bool ready;   /* it is read, and what was purged before is gone from it */
    bool failed;  /* no writes until `again_us` */
    bool leaving; /* nothing is taken any more */
    bool left;
    bool doubt; /* a purge was lost: what lies there is to be validated */
    bool resized;
    u64 quota, queue_most, again_us;
    struct list queue;
    struct disk_counts counts;
    u64 always_bytes; /* of queued_bytes, those that must not be lost */
    u64 read_told_us; /* when a failed read was last told; 0: never */

    /* The thread's own. */
    bool told; /* that it is out of service */
    char why[DISK_LINE];
    struct stat folder; /* as it was opened */
    bool applies;       /* bans: there is more to do, see seglog_apply_bans */
    bool untidy; /* something is left for when there is nothing to write: seglog_tidy, _settle */
};

/* The writer's thread; its argument is the disk. */
void *disk_serve(void *disk);
/* A sentence in two parts. */
void disk_tell(struct disk *d, bool bad, const char *what, const char *why);

#endif
