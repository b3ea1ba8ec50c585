#include "cache/storing.h"

#include <stdlib.h>

#include "cache/notes.h"
#include "cache/purge.h"
#include "cache/stored.h"

enum { PIECES = 32 }; /* of a body that stands in its record; it has 4 kB in each, or doubles */

struct storing {
    struct disk_write write;
    struct disk *disk;    /* held */
    struct cache_key key; /* made with the folder's secret, as variant */
    u64 variant;
    struct object *object; /* held; NULL: it is not whole yet */
    struct memory *memory; /* where that is found */
    /* Of the two who have to do with it, the worker that posts and the thread that writes, one is
     * through; the other one ends it. */
    _Atomic bool passed;
};

static struct storing *storing_of(struct disk_write *w)
{
    return container_of(w, struct storing, write);
}

/* 0: it has none, or too many. */
static u32 pieces(const struct body *b, struct iovec v[PIECES])
{
    u32 n = 0;
    for (struct chunk *c = b->first; c; c = c->next) {
        if (n == PIECES)
            return 0;
        v[n++] = (struct iovec){ (void *)c->bytes, c->n };
    }
    return n;
}

static u64 stale_from(const struct freshness *f)
{
    return f->received + (f->lifetime > f->age ? f->lifetime - f->age : 0);
}

static bool append(struct storing *s, struct seglog *l, struct text *meta)
{
    const struct object *o = s->object;
    struct iovec v[PIECES];
    struct freshness area;
    const struct freshness *fresh = object_fresh(o, &area);
    struct seglog_record r = { .key = s->key,
                               .variant = s->variant,
                               .until = stale_from(fresh),
                               .vary = o->vary,
                               .url = o->url,
                               .tags = o->tags };
    u64 length = o->body->length;
    if (length > SEGLOG_INLINE ? !body_parts(o->body, &r.part, &r.nparts)
                               : length && (r.nbody = pieces(o->body, v)) == 0)
        return true; /* then it is not kept there, and the log is as it was */
    r.body = v;
    struct stored_meta m = { .fresh = *fresh,
                             .server = o->server,
                             .by_parent = o->by_parent,
                             .minor = o->head->minor,
                             .length = length,
                             .rule = o->rule,
                             .head = { o->head->text, o->head->text_len } };
    stored_write(&m, meta);
    r.meta = text_slice(meta);
    return seglog_append_record(l, &r);
}

static bool write_record(struct disk_write *w, struct seglog *l)
{
    struct storing *s = storing_of(w);
    size_t room = STORED_META + s->object->rule.n + s->object->head->text_len;
    char *area = malloc(room);
    struct text meta = text_in(area, room);
    bool good = area == NULL || append(s, l, &meta); /* without memory it is not kept there */
    free(area);
    return good;
}

/* A body that lies on disk is found there, if anywhere: in memory it would hold the log open. */
static void end(struct storing *s)
{
    if (body_is_on_disk(s->object->body))
        memory_remove(s->memory, s->object);
    object_put(&s->object);
    storing_drop(&s);
}

static void done(struct disk_write *w, bool good)
{
    struct storing *s = storing_of(w);
    (void)good;
    if (atomic_exchange(&s->passed, true))
        end(s);
}

struct disk *storing_disk(const struct storing *s)
{
    return s->disk;
}

struct storing *storing_begin(struct xchg *x, const struct object_facts *f)
{
    const struct notes *n = notes_of(x);
    struct tier *tier = &n->use->cache->tier;
    struct disk *d = tier_use(tier);
    struct storing *s = d ? calloc(1, sizeof *s) : NULL;
    if (s) {
        const struct cache_secret secret = { *seglog_secret(disk_log(d)) };
        s->write = (struct disk_write){ .write = write_record, .done = done };
        s->disk = d;
        s->memory = &n->use->cache->memory;
        const struct cache_url url = url_of(n);
        cache_key_of(&secret, &url, &s->key);
        s->variant = f->vary.n ? vary_key(&secret, f->vary, &x->req) : 0;
        bool again = n->stale != NULL; /* it was asked for before, and is perhaps there already */
        if (!again && !tier_admits(tier, d, s->key.bits[0] ^ s->variant))
            storing_drop(&s);
    } else if (d) {
        disk_let(d);
    }
    return s;
}

void storing_drop(struct storing **at)
{
    struct storing *s = *at;
    *at = NULL;
    if (s == NULL)
        return;
    disk_let(s->disk);
    free(s);
}

/* What a new one takes the place of is not to be found again once that has left memory. What a 304
 * has renewed may: it has the same bytes, and is validated once more. */
static void is_not_written(const struct notes *n)
{
    const struct cache_url url = url_of(n);
    if (n->stale && n->copy)
        (void)purge_if_on_disk(n->use->cache, &url);
}

void storing_post(struct xchg *x, struct storing **at, struct object *o)
{
    const struct notes *n = notes_of(x);
    struct cache *c = n->use->cache;
    struct storing *s = *at;
    *at = NULL;
    if (s == NULL) {
        is_not_written(n);
        return;
    }
    bool large = body_have(o->body) > SEGLOG_INLINE;
    u64 cost = large ? o->size : object_cost(o);
    const struct cache_url url = url_of(n);
    s->write.bytes = cost < DISK_QUEUE ? (u32)cost : DISK_QUEUE;
    s->object = o;
    object_hold(o);
    if ((large && !body_spill_rest(o->body)) || !disk_post(s->disk, &s->write)) {
        is_not_written(n);
        end(s);
        return;
    }
    if (!memory_has(&c->memory, o) || is_purged(n)) /* or something newer is there */
        purge_on_disk(c, &url);
    if (atomic_exchange(&s->passed, true))
        end(s);
}
