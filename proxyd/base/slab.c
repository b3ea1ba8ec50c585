#include "base/slab.h"

#include <sys/mman.h>

enum { BLOCK = SLAB_BLOCK, HEADER = 16 };

void slab_init(struct slab *s, u32 size)
{
    *s = (struct slab){ .size = (size + 15) & ~15u };
}

void slab_destroy(struct slab *s)
{
    while (s->blocks) {
        void *b = s->blocks;
        s->blocks = *(void **)b;
        unpoison(b, BLOCK);
        munmap(b, BLOCK);
    }
    s->free = NULL;
}

/* Links a new block's objects so that the lowest address comes first: untouched pages of the block
 * stay untouched until they are needed, which keeps the resident size at what is used. */
void *slab_refill(struct slab *s)
{
    char *b = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        return NULL;
    *(void **)b = s->blocks;
    s->blocks = b;
    s->held += BLOCK;
    u32 n = (BLOCK - HEADER) / s->size;
    for (u32 i = n; i-- > 0;) {
        void **p = (void **)(b + HEADER + (size_t)i * s->size);
        *p = s->free;
        s->free = p;
        poison(p + 1, s->size - sizeof *p);
    }
    return s->free;
}
