/*
 * I/O buffers in four size classes, 4, 16, 64 and 256 kB, LIFO per worker so that the next one is
 * warm in cache. A connection without unread or unsent bytes owns none: that is what keeps an idle
 * client at a few hundred bytes.
 *
 * The budget is the hard thing: nothing is taken by which the freelists and what is in use would
 * exceed it together (after buf_allocator_resize to less, what is in use may, until it is given
 * back). buf_take_for returns NULL instead, and the caller waits (existing work) or refuses (new
 * work). The last parts of it are for those who give back soonest (enum buf_use): were new
 * requests let in until nothing is left, none of them could be finished.
 * A freelist keeps at most half a megabyte; the rest goes back to the system.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

enum buf_class { BUF_4K, BUF_16K, BUF_64K, BUF_256K, BUF_CLASSES };

/* What a buffer is for, by how much of the budget may be in use with it: a half for the requests of
 * clients not served before, three quarters for those of others, seven eighths for what is read of
 * bodies and answers, all of it for what is to be sent. */
enum buf_use { BUF_FOR_NEWCOMER, BUF_FOR_CLIENT, BUF_FOR_READING, BUF_FOR_SENDING, BUF_USES };

/* Header and area are one allocation; `from` and `to` mark the live bytes. */
struct buf {
    struct buf *next; /* in a freelist */
    u32 size;         /* bytes in data */
    u32 from, to;     /* live bytes are data[from, to) */
    u8 klass;
    _Alignas(16) char data[];
};

struct buf_allocator {
    struct buf *free[BUF_CLASSES];
    u32 nfree[BUF_CLASSES];
    u64 held;           /* bytes, in use and free */
    u64 in_use;         /* bytes */
    u64 budget;         /* bytes */
    u64 most[BUF_USES]; /* bytes of it that may be in use when one is taken */
};

void buf_allocator_init(struct buf_allocator *p, u64 budget);
void buf_allocator_destroy(struct buf_allocator *p);
/* Another budget, for something else has taken a part of it. Idle buffers beyond it go back. */
void buf_allocator_resize(struct buf_allocator *p, u64 budget);
/* An empty buffer, or NULL over budget. */
struct buf *buf_take_for(struct buf_allocator *p, enum buf_class c, enum buf_use use);
static inline struct buf *buf_take(struct buf_allocator *p, enum buf_class c)
{
    return buf_take_for(p, c, BUF_FOR_SENDING);
}
/* Gives *b back and sets it to NULL; *b may be NULL. */
void buf_give(struct buf_allocator *p, struct buf **b);

/* Live bytes. */
static inline u32 buf_len(const struct buf *b)
{
    return b->to - b->from;
}
static inline u32 buf_room(const struct buf *b)
{
    return b->size - b->to;
}
static inline struct slice buf_live(const struct buf *b)
{
    return (struct slice){ b->data + b->from, b->to - b->from };
}
/* Moves the live bytes to the front. */
void buf_compact(struct buf *b);

#endif
