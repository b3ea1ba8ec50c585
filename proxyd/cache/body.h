/*
 * The body of a response in memory, in chunks. One exchange fills it while others in any worker
 * read what is there; once it has ended it never changes, and is read without a lock. It lives as
 * long as somebody holds it: the objects that it belongs to, the filler, and the readers.
 */
#ifndef CACHE_BODY_H
#define CACHE_BODY_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/slice.h"
#include "cache/budget.h"

enum { CHUNK_LEAST = 4096, CHUNK_MOST = 256 << 10 };

struct chunk {
    struct chunk *next;
    u32 n, cap; /* bytes in it, and room */
    char bytes[];
};

enum body_state { BODY_GROWING, BODY_WHOLE, BODY_CUT };

struct body {
    _Atomic u32 holders;
    _Atomic u32 readers; /* that have it open now */
    struct budget *budget;
    _Atomic u64 length;   /* announced, or once it is whole; else UINT64_MAX */
    _Atomic u8 state;     /* enum body_state; set under the lock */
    pthread_mutex_t lock; /* while it grows, guards what follows */
    u64 have;
    struct chunk *first, *last;
    struct list waiting; /* readers that have come to the end */
};

/* A growing one, held once. NULL: no memory, or the budget has no room. */
struct body *body_new(struct budget *b, u64 length);
void body_hold(struct body *b);
void body_put(struct body *b);
/* Appends and wakes who waits; how much of it has been taken: less when there is no room or it
 * would exceed `most`. For the filler alone, as body_end. */
size_t body_append(struct body *b, struct slice run, u64 most);
void body_end(struct body *b, enum body_state how);
/* Bytes that there are by now. */
u64 body_have(struct body *b);

#endif
