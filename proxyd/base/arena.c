#include "base/arena.h"

#include <stdlib.h>

#include "base/must.h"

struct arena_end {
    struct arena_end *older;
    void (*end)(void *what);
    void *what;
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    struct arena_end *ends; /* in this chunk */
    _Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t chunk_size)
{
    *a =
        (struct arena){ .chunk_size = chunk_size ? chunk_size : 4096 - sizeof(struct arena_chunk) };
}

static bool add_chunk(struct arena *a, size_t size)
{
    struct arena_chunk *c = malloc(sizeof *c + size);
    if (c == NULL)
        return false;
    c->older = a->chunk;
    c->size = size;
    c->ends = NULL;
    a->chunk = c;
    a->used = 0;
    a->total += size;
    return true;
}

static size_t aligned(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

void *arena_try(struct arena *a, size_t n)
{
    n = aligned(n);
    if ((a->chunk == NULL || a->chunk->size - a->used < n) &&
        !add_chunk(a, n > a->chunk_size ? n : a->chunk_size))
        return NULL;
    void *p = a->chunk->data + a->used;
    a->used += n;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (a->reserve && aligned(n) <= a->reserve_size - a->reserve_used) {
        void *p = a->reserve + a->reserve_used;
        a->reserve_used += aligned(n);
        return p;
    }
    void *p = arena_try(a, n);
    must(p != NULL);
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    return memset(arena_alloc(a, n), 0, n);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (struct slice){ p, s.n };
}

void arena_at_end(struct arena *a, void (*end)(void *what), void *what)
{
    struct arena_end *e = arena_try(a, sizeof *e);
    must(e != NULL);
    *e = (struct arena_end){ a->chunk->ends, end, what };
    a->chunk->ends = e;
}

static void run_ends(struct arena_chunk *c)
{
    for (struct arena_end *e = c->ends; e; e = e->older)
        e->end(e->what);
    c->ends = NULL;
}

void arena_reset(struct arena *a)
{
    while (a->chunk && a->chunk->older) {
        struct arena_chunk *c = a->chunk;
        a->chunk = c->older;
        a->total -= c->size;
        run_ends(c);
        free(c);
    }
    if (a->chunk)
        run_ends(a->chunk);
    a->used = a->reserve_used = 0;
}

void arena_free(struct arena *a)
{
    while (a->chunk) {
        struct arena_chunk *c = a->chunk;
        a->chunk = c->older;
        run_ends(c);
        free(c);
    }
    a->used = a->total = a->reserve_used = 0;
}
