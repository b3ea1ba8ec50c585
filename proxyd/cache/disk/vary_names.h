/*
 * The different `vary` of records, each once, so that the index has two bytes for it. They are
 * added and given up by one thread, read by any.
 *
 * The hard thing is an origin that sends ever new ones: when all numbers are in use, those that no
 * record has are given back, and if these are few, those that fewest have, with their records
 * (log_names.c): so it pushes out its own, and a `vary` that many records have stays. A restart
 * reads the newest first, as many as there are numbers.
 */
#ifndef CACHE_DISK_VARY_NAMES_H
#define CACHE_DISK_VARY_NAMES_H

#include <pthread.h>

#include "cache/disk/seglog.h"

struct vary_name {
    u32 n;
    char text[];
};

struct vary_names {        /* "" is number 0 */
    pthread_rwlock_t lock; /* what is read under it stays until it is let go */
    struct vary_name *name[SEGLOG_NAMES];
    u16 by_hash[2 * SEGLOG_NAMES]; /* of the number, 0: free */
    u32 n;                         /* but for "" */
    u32 next;                      /* where to look for a free number first */
};

/* Makes an empty table. */
void vary_names_init(struct vary_names *v);
/* Frees all of them. */
void vary_names_end(struct vary_names *v);
/* Are all numbers in use? By the thread that adds them. */
static inline bool vary_names_full(const struct vary_names *v)
{
    return v->n + 1 == SEGLOG_NAMES;
}
/* Its number, or -1: there is no room. */
int vary_names_add(struct vary_names *v, struct slice text);
/* By the thread that adds them, or under the lock; "" for a number that is given up. */
struct slice vary_names_text(const struct vary_names *v, u16 number);
/* Gives up those that `stay` does not have; numbers are given out anew. */
void vary_names_give_up(struct vary_names *v, const bool stay[SEGLOG_NAMES]);

#endif
