/*
 * A stored response: a head, what is known of its freshness, and a body, which may still be growing
 * and which the responses that revalidate it share. It never changes but for the marks below, and
 * lives as long as anybody holds it.
 */
#ifndef CACHE_OBJECT_H
#define CACHE_OBJECT_H

#include "base/addr.h"
#include "cache/body.h"
#include "cache/freshness.h"
#include "cache/head.h"
#include "cache/key.h"

struct object {
    _Atomic u32 holders;
    _Atomic u8 uses;         /* since it was kept, at most USES_MOST: what eviction goes by */
    _Atomic bool refreshing; /* somebody validates it behind the back of those who get it stale */
    _Atomic u64 stale_s;     /* seconds since 1970, from which on it counts as stale; 0: never */
    struct budget *budget;
    struct cache_key key;
    u64 variant; /* vary.h; 0: it does not vary */
    struct freshness fresh;
    struct addr server; /* where it came from: the decision before the shortcut asks about it */
    bool by_parent;     /* that is a proxy of a parent */
    struct stored_head *head; /* in this block */
    struct body *body;
    struct slice vary, url; /* names of request fields, and what it is of: in this block */
    struct slice rule;      /* that has departed from the RFC to have it kept; there, too */
    struct slice tags;      /* cache/tags.h; there, too */
    u32 size;               /* of this block */
    /* What follows is the index's: memory.h. */
    struct object *next; /* in its chain (index.h); under the shard's lock */
    struct list queue;   /* under the lock of the queues, as the two below */
    u8 place;
    u64 cost; /* bytes it is counted with there */
};

enum { USES_MOST = 3 };

struct object_facts {
    struct cache_key key;
    u64 variant;
    struct freshness fresh;
    struct addr server;
    bool by_parent;
    struct slice vary, url, rule, tags;
    struct cache_url name; /* what `url` is written from, if that is NULL */
};

/* Held once; takes hold of the body, which may be NULL: no object comes of it, as without room.
 * `m`: the response as it is to be kept. */
struct object *object_new(struct budget *b, const struct object_facts *f, const struct msg *m,
                          struct body *body);
static inline void object_hold(struct object *o)
{
    atomic_fetch_add_explicit(&o->holders, 1, memory_order_relaxed);
}
/* The same with a head of whatever is planned. */
struct object *object_of(struct budget *b, const struct object_facts *f,
                         const struct head_plan *head, struct body *body);
/* It was asked for again: two at once may count as one. */
static inline void object_used(struct object *o)
{
    u8 uses = atomic_load_explicit(&o->uses, memory_order_relaxed);
    if (uses < USES_MOST)
        atomic_store_explicit(&o->uses, (u8)(uses + 1), memory_order_relaxed);
}
/* The one that stands for slices (manifest.h). */
static inline bool object_is_manifest(const struct object *o)
{
    return o->head->status == 206;
}
/* Gives it back and clears *o; NULL is fine. */
void object_put(struct object **o);
/* Bytes that go with it. */
u64 object_cost(struct object *o);
/* No longer fresh from then on: a purge that is soft. False: it has been already. */
bool object_make_stale(struct object *o, u64 now_s);
/* How fresh it is, with that: what o->fresh says, or *area. */
const struct freshness *object_fresh(const struct object *o, struct freshness *area);
static inline bool object_is_growing(const struct object *o)
{
    return atomic_load_explicit(&o->body->state, memory_order_relaxed) == BODY_GROWING;
}

#endif
