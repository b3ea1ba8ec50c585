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

struct wanted {
    struct slice url;
    enum url_match how;
    u64 now_s;
    unsigned n;
    void (*each)(void *ctx, struct object *o);
    void *ctx;
};

static bool is_wanted(void *ctx, struct object *o)
{
    const struct wanted *w = ctx;
    return fits(o, w->url, w->how);
}

/* One that fits, held; *from: the bucket to begin with, and where it was. A table that is widened
 * meanwhile keeps what it has at the same number or a higher one. */
static struct object *any_of(struct memory_shard *s, u32 *from, struct slice url,
                             enum url_match how)
{
    struct wanted wanted = { .url = url, .how = how };
    pthread_mutex_lock(&s->lock);
    struct object *found = index_any(&s->index, from, UINT32_MAX, is_wanted, &wanted);
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

static bool make_stale(void *ctx, struct object *o)
{
    struct wanted *w = ctx;
    if (fits(o, w->url, w->how))
        w->n += object_make_stale(o, w->now_s);
    return false;
}

static void all_of(struct memory *m, bool (*do_it)(void *ctx, struct object *o), struct wanted *w)
{
    for (unsigned i = 0; i < MEMORY_SHARDS; i++) {
        struct memory_shard *s = &m->shard[i];
        u32 from = 0;
        pthread_mutex_lock(&s->lock);
        (void)index_any(&s->index, &from, UINT32_MAX, do_it, w);
        pthread_mutex_unlock(&s->lock);
    }
}

unsigned memory_make_stale(struct memory *m, struct slice url, enum url_match how, u64 now_s)
{
    struct wanted wanted = { .url = url, .how = how, .now_s = now_s };
    all_of(m, make_stale, &wanted);
    return wanted.n;
}

static bool tell(void *ctx, struct object *o)
{
    const struct wanted *w = ctx;
    if (fits(o, w->url, w->how))
        w->each(w->ctx, o);
    return false;
}

void memory_each(struct memory *m, struct slice url, void (*each)(void *ctx, struct object *o),
                 void *ctx)
{
    struct wanted wanted = { .url = url, .how = URL_WHOLE, .each = each, .ctx = ctx };
    all_of(m, tell, &wanted);
}
