#include "base/buf.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/poison.h"

static const u32 area[BUF_CLASSES] = { 4096 - sizeof(struct buf), 16384 - sizeof(struct buf),
                                       65536 - sizeof(struct buf), 262144 - sizeof(struct buf) };
/* How many idle buffers of a class a worker keeps: half a megabyte of each. */
static const u32 keep[BUF_CLASSES] = { 128, 32, 8, 2 };

static void set_budget(struct buf_allocator *p, u64 budget)
{
    p->budget = budget;
    p->most[BUF_FOR_NEWCOMER] = budget / 2;
    p->most[BUF_FOR_CLIENT] = budget / 4 * 3;
    p->most[BUF_FOR_READING] = budget / 8 * 7;
    p->most[BUF_FOR_SENDING] = budget;
}

void buf_allocator_init(struct buf_allocator *p, u64 budget)
{
    *p = (struct buf_allocator){ 0 };
    set_budget(p, budget);
}

static void release(struct buf_allocator *p, struct buf *b)
{
    p->held -= b->size;
    free(b);
}

static struct buf *pop_free(struct buf_allocator *p, unsigned c)
{
    struct buf *b = p->free[c];
    p->free[c] = b->next;
    p->nfree[c]--;
    unpoison(b->data, b->size);
    return b;
}

/* Over budget, idle buffers of other classes make room. */
static bool make_room(struct buf_allocator *p, u32 need)
{
    for (unsigned c = 0; c < BUF_CLASSES; c++)
        while (p->held + need > p->budget && p->free[c])
            release(p, pop_free(p, c));
    return p->held + need <= p->budget;
}

void buf_allocator_resize(struct buf_allocator *p, u64 budget)
{
    set_budget(p, budget);
    (void)make_room(p, 0);
}

void buf_allocator_destroy(struct buf_allocator *p)
{
    for (unsigned c = 0; c < BUF_CLASSES; c++)
        while (p->free[c])
            release(p, pop_free(p, c));
}

struct buf *buf_take_for(struct buf_allocator *p, enum buf_class c, enum buf_use use)
{
    struct buf *b;
    if (unlikely(p->in_use + area[c] > p->most[use]))
        return NULL;
    if (likely(p->free[c] != NULL)) {
        b = pop_free(p, c);
    } else {
        if (unlikely(p->held + area[c] > p->budget) && !make_room(p, area[c]))
            return NULL;
        b = malloc(sizeof *b + area[c]);
        if (b == NULL)
            return NULL;
        b->size = area[c];
        b->klass = (u8)c;
        p->held += b->size;
    }
    b->from = b->to = 0;
    p->in_use += b->size;
    return b;
}

void buf_give(struct buf_allocator *p, struct buf **slot)
{
    struct buf *b = *slot;
    if (b == NULL)
        return;
    *slot = NULL;
    p->in_use -= b->size;
    if (p->nfree[b->klass] >= keep[b->klass]) {
        release(p, b);
        return;
    }
    b->next = p->free[b->klass];
    p->free[b->klass] = b;
    p->nfree[b->klass]++;
    poison(b->data, b->size);
}

void buf_compact(struct buf *b)
{
    if (b->from == 0)
        return;
    memmove(b->data, b->data + b->from, b->to - b->from);
    b->to -= b->from;
    b->from = 0;
}
