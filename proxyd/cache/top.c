#include "cache/top.h"

enum { BUCKETS_AT_ONCE = 256 };

/* Where one that has saved so much is to stand, with those below it moved down; NULL: it is none of
 * the first. One that is seen twice, in a table that is widened meanwhile, stands there once. */
static struct saver *place_for(struct top *t, const struct cache_key *key, u64 variant, u64 saved)
{
    unsigned to = 0, from = 0;
    while (to < t->n && t->row[to].saved >= saved &&
           !(cache_key_same(&t->row[to].key, key) && t->row[to].variant == variant))
        to++;
    if (saved == 0 || to == TOP_MOST || (to < t->n && t->row[to].saved >= saved))
        return NULL;
    for (from = to; from < t->n; from++)
        if (cache_key_same(&t->row[from].key, key) && t->row[from].variant == variant)
            break;
    if (from == TOP_MOST)
        from--;
    else if (from == t->n)
        t->n++;
    memmove(&t->row[to + 1], &t->row[to], (from - to) * sizeof t->row[0]);
    return &t->row[to];
}

struct taking {
    struct top *top;
    u64 now_s;
};

static bool take_object(void *ctx, struct object *o)
{
    struct taking *t = ctx;
    u64 saved = atomic_load_explicit(&o->body->saved, memory_order_relaxed);
    struct saver *at = place_for(t->top, &o->key, o->variant, saved);
    if (at)
        saver_fill(at, o, saved, t->now_s);
    return false;
}

static void of_shard(struct memory_shard *s, u64 now_s, struct top *t)
{
    struct taking taking = { t, now_s };
    u32 from = 0, n;
    do {
        pthread_mutex_lock(&s->lock);
        n = s->index.nbuckets;
        (void)index_any(&s->index, &from, BUCKETS_AT_ONCE, take_object, &taking);
        pthread_mutex_unlock(&s->lock);
    } while (from < n);
}

static void of_disk(struct savers *s, struct top *t)
{
    pthread_mutex_lock(&s->lock);
    for (u32 i = 0; i < s->n; i++) {
        const struct saver *r = &s->row[i];
        struct saver *at = place_for(t, &r->key, r->variant, r->saved);
        if (at)
            *at = *r;
    }
    pthread_mutex_unlock(&s->lock);
}

void top_of(struct cache *c, u64 now_s, struct top *t)
{
    for (unsigned i = 0; i < MEMORY_SHARDS; i++)
        of_shard(&c->memory.shard[i], now_s, t);
    of_disk(&c->savers, t);
}
