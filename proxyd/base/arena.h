/*
 * Bump memory with one owner and one end: everything allocated from an arena dies together, at
 * arena_reset (which keeps the first chunk for the next round) or arena_free. Memory is aligned to
 * 16 bytes and not zeroed.
 *
 * On the data path the system may refuse memory, so there arena_alloc is only for what fits the
 * reserve that the owner has lent; what depends on a peer takes arena_try.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunk; /* newest first; NULL until the first allocation */
    size_t used;               /* bytes taken of the newest chunk */
    size_t chunk_size;         /* payload of an ordinary chunk; larger requests get their own */
    size_t total;              /* bytes held in all chunks, for limits and statistics */
    char *reserve;             /* taken before any chunk; the owner's memory */
    size_t reserve_size, reserve_used;
};

/* chunk_size 0 means 4096 - header. */
void arena_init(struct arena *a, size_t chunk_size);
/* Lends n bytes, aligned to 16, that outlive the arena: arena_alloc takes them first. */
static inline void arena_set_reserve(struct arena *a, void *reserve, size_t n)
{
    a->reserve = reserve;
    a->reserve_size = n;
}
/* Never NULL: beyond the reserve, a refusal of the system ends the process. */
void *arena_alloc(struct arena *a, size_t n);
/* Never from the reserve; NULL when the system refuses. */
void *arena_try(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
/* A copy of s; the copy is NUL-terminated (not counted in n) so that it can also serve as a C
 * string. */
struct slice arena_copy(struct arena *a, struct slice s);
/* Calls end(what) when the memory goes, at arena_reset or arena_free: for what an arena cannot
 * hold, such as the code of a compiled pattern. The last one is called first. */
void arena_at_end(struct arena *a, void (*end)(void *what), void *what);
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
