/*
 * What is kept, looked for by URL, prefix or tag: the index knows keys alone, so all of it is gone
 * through. The hard thing is that no lock is held for longer than one shard takes, nor while an
 * object is given back: each one is looked for anew.
 */
#include "cache/manifest.h"
#include "cache/memory.h"
#include "cache/tags.h"

/* A slice of it is of that URL, too (manifest.h). */
static bool fits(const struct object *o, struct slice url, enum url_match how)
{
    switch (how) {
    case URL_WHOLE: return slice_eq(block_whole(o->url), url);
    case URL_PREFIX: return slice_starts(o->url, url);
    default: return tags_have(o->tags, url);
    }
}

/* One that fits, held; *from: the bucket to begin with, and where it was. A table that is widened
 * meanwhile keeps what it has at the same number or a higher one. */
static struct object *any_of(struct memory_shard *s, u32 *from, struct slice url,
                             enum url_match how)
{
    struct object *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (; *from < s->nbuckets && found == NULL; *from += found == NULL)
        for (struct object *o = s->bucket[*from]; o && found == NULL; o = o->next)
            if (fits(o, url, how))
                found = o;
    if (found)
        object_hold(found);
    pthread_mutex_unlock(&s->lock);
    return found;
}

unsigned memory_remove_url(struct memory *m, struct slice url, enum url_match how)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MEMORY_SHARDS; i++) {
        struct object *o;
        u32 from = 0;
        while ((o = any_of(&m->shard[i], &from, url, how)) != NULL) {
            n += memory_remove(m, o);
            object_put(&o);
        }
    }
    return n;
}

static unsigned make_stale(struct memory_shard *s, struct slice url, enum url_match how, u64 now_s)
{
    unsigned n = 0;
    pthread_mutex_lock(&s->lock);
    for (u32 i = 0; i < s->nbuckets; i++)
        for (struct object *o = s->bucket[i]; o; o = o->next)
            if (fits(o, url, how))
                n += object_make_stale(o, now_s);
    pthread_mutex_unlock(&s->lock);
    return n;
}

unsigned memory_make_stale(struct memory *m, struct slice url, enum url_match how, u64 now_s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MEMORY_SHARDS; i++)
        n += make_stale(&m->shard[i], url, how, now_s);
    return n;
}

static void each_in(struct memory_shard *s, struct slice url,
                    void (*each)(void *ctx, struct object *o), void *ctx)
{
    pthread_mutex_lock(&s->lock);
    for (u32 i = 0; i < s->nbuckets; i++)
        for (struct object *o = s->bucket[i]; o; o = o->next)
            if (fits(o, url, URL_WHOLE))
                each(ctx, o);
    pthread_mutex_unlock(&s->lock);
}

void memory_each(struct memory *m, struct slice url, void (*each)(void *ctx, struct object *o),
                 void *ctx)
{
    for (unsigned i = 0; i < MEMORY_SHARDS; i++)
        each_in(&m->shard[i], url, each, ctx);
}
