#include "cache/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { FIRST_BUCKETS = 2 };

static struct index_bucket *buckets(u32 n)
{
    struct index_bucket *b = aligned_alloc(CACHE_LINE, n * sizeof *b);
    if (b)
        memset(b, 0, n * sizeof *b);
    return b;
}

void index_init(struct index *x)
{
    *x = (struct index){ .bucket = buckets(FIRST_BUCKETS), .nbuckets = FIRST_BUCKETS };
    must(x->bucket != NULL);
}

void index_end(struct index *x)
{
    free(x->bucket);
}

/* The chain with that tag, or a free one, or the rest. */
static struct object **chain_for(struct index_bucket *b, u16 tag)
{
    unsigned at = INDEX_REST;
    for (unsigned i = INDEX_TAGS; i-- > 0;) {
        if (b->chain[i] == NULL)
            at = i;
        else if (b->tag[i] == tag)
            return &b->chain[i];
    }
    if (at < INDEX_TAGS)
        b->tag[at] = tag;
    return &b->chain[at];
}

static void push(struct index *x, struct object *o)
{
    struct object **chain = chain_for(index_bucket(x, &o->key), index_tag(&o->key));
    o->next = *chain;
    *chain = o;
}

/* The oldest first. */
static void push_chain(struct index *x, struct object *newest)
{
    struct object *o = NULL, *next;
    for (; newest; newest = next) {
        next = newest->next;
        newest->next = o;
        o = newest;
    }
    for (; o; o = next) {
        next = o->next;
        push(x, o);
    }
}

/* The rest of each bucket first, which is older than what its key has elsewhere. */
static void widen(struct index *x)
{
    struct index wider = { .bucket = buckets(x->nbuckets * 2), .nbuckets = x->nbuckets * 2 };
    if (wider.bucket == NULL)
        return; /* longer chains do no harm */
    for (u32 i = 0; i < x->nbuckets; i++)
        for (unsigned c = INDEX_CHAINS; c-- > 0;)
            push_chain(&wider, x->bucket[i].chain[c]);
    free(x->bucket);
    x->bucket = wider.bucket;
    x->nbuckets = wider.nbuckets;
}

void index_put(struct index *x, struct object *o)
{
    if (++x->n > x->nbuckets * 3) /* until then few buckets have more than five keys */
        widen(x);
    push(x, o);
}

/* Where it hangs; NULL: nowhere. */
static struct object **place_of(const struct index *x, const struct object *o)
{
    struct index_bucket *b = index_bucket(x, &o->key);
    u16 tag = index_tag(&o->key);
    for (unsigned i = 0; i < INDEX_CHAINS; i++) {
        if (i < INDEX_TAGS && b->tag[i] != tag)
            continue;
        for (struct object **at = &b->chain[i]; *at; at = &(*at)->next)
            if (*at == o)
                return at;
    }
    return NULL;
}

bool index_take(struct index *x, const struct object *o)
{
    struct object **at = place_of(x, o);
    if (at == NULL)
        return false;
    *at = o->next;
    x->n--;
    return true;
}

bool index_has(const struct index *x, const struct object *o)
{
    return place_of(x, o) != NULL;
}

struct object *index_any(const struct index *x, u32 *from, u32 most,
                         bool (*is)(void *ctx, struct object *o), void *ctx)
{
    u32 left = x->nbuckets - *from, end = *from + (most < left ? most : left);
    for (; *from < end; ++*from)
        for (unsigned c = 0; c < INDEX_CHAINS; c++)
            for (struct object *o = x->bucket[*from].chain[c]; o; o = o->next)
                if (is(ctx, o))
                    return o;
    return NULL;
}
