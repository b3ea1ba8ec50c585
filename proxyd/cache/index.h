/*
 * From a key to the objects that have it: what a shard of the memory tier looks up. Of a million
 * objects nearly every line of the processor that a look-up meets lies far away, so what counts is
 * how many those are. A bucket is one line: five chains of objects whose hashes agree in sixteen
 * bits more, which stand beside them, and one of the rest. A key that is not there is told from
 * those bits; in a chain nearly always stand the variants of one key, newest first.
 *
 * The hard thing is the rest: where five other chains are in use it takes what comes, and once one
 * of the five is free again the same key begins there. So of one key those in the rest are older.
 */
#ifndef CACHE_INDEX_H
#define CACHE_INDEX_H

#include "cache/object.h"

enum { INDEX_TAGS = 5, INDEX_REST = INDEX_TAGS, INDEX_CHAINS };

struct index_bucket {
    _Alignas(CACHE_LINE) u16 tag[INDEX_TAGS]; /* of each chain that has an object */
    struct object *chain[INDEX_CHAINS];       /* newest first; the last is the rest */
};
_Static_assert(sizeof(struct index_bucket) == CACHE_LINE, "a bucket is one line");

struct index {
    struct index_bucket *_Atomic bucket; /* atomic as the next for index_ask alone */
    _Atomic u32 nbuckets;                /* a power of two */
    u32 n;
};

void index_init(struct index *x);
/* What is in it stays the caller's. */
void index_end(struct index *x);
/* Newest of its key. Takes no hold. */
void index_put(struct index *x, struct object *o);
/* False: it is not there. */
bool index_take(struct index *x, const struct object *o);
bool index_has(const struct index *x, const struct object *o);
/* Calls `is` with each object in `most` buckets from *from on, until it says that this is the one.
 * *from: its bucket; where NULL comes, the one to go on with: x->nbuckets at the end. An index that
 * grows between two calls keeps each in a bucket of the same number or a higher one. */
struct object *index_any(const struct index *x, u32 *from, u32 most,
                         bool (*is)(void *ctx, struct object *o), void *ctx);

/* ---- what a look-up needs, in line ---- */

static inline struct index_bucket *index_bucket(const struct index *x, const struct cache_key *key)
{
    u32 n = atomic_load_explicit(&x->nbuckets, memory_order_relaxed);
    return atomic_load_explicit(&x->bucket, memory_order_relaxed) + (key->bits[0] & (n - 1));
}

/* A look-up of that key will follow: its line is on the way then. Needs no lock, for nothing is
 * read there. */
static inline __attribute__((always_inline)) void index_ask(const struct index *x,
                                                            const struct cache_key *key)
{
    __builtin_prefetch(index_bucket(x, key), 1);
}

static inline u16 index_tag(const struct cache_key *key)
{
    return (u16)(key->bits[0] >> 48);
}

/* Through all objects of a key, newest first. */
struct index_walk {
    const struct cache_key *key;
    struct object *next, *rest;
};

static inline struct index_walk index_walk(const struct index *x, const struct cache_key *key)
{
    const struct index_bucket *b = index_bucket(x, key);
    struct index_walk w = { .key = key, .rest = b->chain[INDEX_REST] };
    for (unsigned i = 0; i < INDEX_TAGS; i++)
        if (b->tag[i] == index_tag(key) && b->chain[i])
            w.next = b->chain[i];
    return w;
}

/* NULL: that was the last. The one before may be taken out meanwhile. */
static inline struct object *index_next(struct index_walk *w)
{
    for (;;) {
        if (w->next == NULL) {
            w->next = w->rest;
            w->rest = NULL;
        }
        struct object *o = w->next;
        if (o == NULL)
            return NULL;
        w->next = o->next;
        if (cache_key_same(&o->key, w->key))
            return o;
    }
}

#endif
