/*
 * Typed freelist of one thread: objects of one size, LIFO so that the next one is warm in cache.
 * Memory comes in blocks of 64 kB from mmap and goes back only with the slab: its size is bounded
 * by the most objects ever live at once. slab_take returns uninitialised memory.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/poison.h"
#include "base/types.h"

enum { SLAB_BLOCK = 64 * 1024 };

struct slab {
    void *free;   /* next free object; its first word links on */
    void *blocks; /* all blocks, linked by their first word */
    u32 size;     /* of one object, multiple of 16 */
    u32 live;     /* objects handed out */
    u64 held;     /* bytes taken from the system */
};

void slab_init(struct slab *s, u32 size);
void slab_destroy(struct slab *s);
void *slab_refill(struct slab *s);

/* NULL only when the system refuses memory. */
static inline void *slab_take(struct slab *s)
{
    void *p = s->free;
    if (unlikely(p == NULL) && (p = slab_refill(s)) == NULL)
        return NULL;
    s->free = *(void **)p;
    s->live++;
    unpoison(p, s->size);
    return p;
}
static inline void slab_give(struct slab *s, void *p)
{
    *(void **)p = s->free;
    s->free = p;
    s->live--;
    poison((char *)p + sizeof(void *), s->size - sizeof(void *));
}

#endif
