#include "cache/top.h"

#include <stdlib.h>

enum { BUCKETS_AT_ONCE = 256 };

static u64 saved_by(const struct object *o)
{
    return atomic_load_explicit(&o->body->saved, memory_order_relaxed);
}

/* A query may hold what nobody else is to see. */
static void copy_url(struct top_row *r, struct slice url)
{
    struct text t = text_in(r->area, sizeof r->area);
    const char *query = slice_find(url, '?');
    struct slice path = query ? slice_range(url.p, query) : url;
    text_put(&t, path.p, path.n < TOP_URL ? path.n : TOP_URL);
    text_cstr(&t, query ? "?…" : path.n > TOP_URL ? "…" : "");
    r->url = text_slice(&t);
}

static void fill_in(struct top_row *r, struct object *o, u64 saved, u64 now_s)
{
    r->key = o->key;
    r->variant = o->variant;
    r->saved = saved;
    r->bytes = body_have(o->body);
    r->age = freshness_age(&o->fresh, now_s);
    copy_url(r, o->url);
}

/* Where the row of that object stands, which a table that is widened meanwhile shows twice; else
 * one to be filled in, behind the others. NULL: no memory. */
static struct top_row **place_for(struct top *t, const struct object *o)
{
    for (unsigned i = 0; i < t->n; i++)
        if (cache_key_same(&t->row[i]->key, &o->key) && t->row[i]->variant == o->variant)
            return &t->row[i];
    if (t->n == TOP_MOST)
        return &t->row[TOP_MOST - 1];
    t->row[t->n] = malloc(sizeof *t->row[0]);
    return t->row[t->n] ? &t->row[t->n++] : NULL;
}

static void consider(struct top *t, struct object *o, u64 now_s)
{
    u64 saved = saved_by(o);
    if (saved == 0 || (t->n == TOP_MOST && saved <= t->row[TOP_MOST - 1]->saved))
        return;
    struct top_row **at = place_for(t, o);
    if (at == NULL)
        return;
    fill_in(*at, o, saved, now_s);
    for (; at > t->row && at[-1]->saved < saved; at--) {
        struct top_row *r = at[-1];
        at[-1] = *at;
        *at = r;
    }
}

void top_of(struct memory *m, u64 now_s, struct top *t)
{
    for (unsigned i = 0; i < MEMORY_SHARDS; i++) {
        struct memory_shard *s = &m->shard[i];
        u32 from = 0, n;
        do {
            pthread_mutex_lock(&s->lock);
            n = s->nbuckets;
            for (u32 to = from + BUCKETS_AT_ONCE; from < n && from < to; from++)
                for (struct object *o = s->bucket[from]; o; o = o->next)
                    consider(t, o, now_s);
            pthread_mutex_unlock(&s->lock);
        } while (from < n);
    }
}

void top_free(struct top *t)
{
    for (unsigned i = 0; i < t->n; i++)
        free(t->row[i]);
    t->n = 0;
}
