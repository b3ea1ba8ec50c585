/* One list of all, for listings, and a table of chains by kind and name: a policy of 100,000 rules
 * has an entry for each, and each is found again at every reload. */
#include "core/common/registry.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/must.h"
#include "core/common/snapshot.h"

enum { FIRST_BUCKETS = 64 };

struct entry {
    struct list link;   /* in registry->all */
    struct entry *next; /* in its bucket */
    u64 hash;
    const struct registry_kind *kind;
    u32 users; /* snapshots */
    u32 n;
    char *name;
    _Alignas(16) char state[];
};

struct registry {
    pthread_mutex_t lock; /* guards all of it, and `users` of the entries */
    struct list all;      /* newest first */
    struct entry **bucket;
    u32 nbuckets, n; /* nbuckets: a power of two */
};

/* In the snapshot's arena. */
struct registry_pin {
    struct registry_pin *next;
    struct registry *registry;
    struct entry *entry;
};

static struct entry *entry_of(struct list *link)
{
    return container_of(link, struct entry, link);
}

struct registry *registry_new(void)
{
    struct registry *r = must_zalloc(sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    list_init(&r->all);
    r->nbuckets = FIRST_BUCKETS;
    r->bucket = must_zalloc(r->nbuckets * sizeof(struct entry *));
    return r;
}

static void free_entry(struct entry *e)
{
    if (e->kind->end)
        e->kind->end(e->state);
    free(e->name);
    free(e);
}

void registry_free(struct registry *r)
{
    struct list *l;
    while ((l = list_pop(&r->all)) != NULL)
        free_entry(entry_of(l));
    pthread_mutex_destroy(&r->lock);
    free(r->bucket);
    free(r);
}

/* Those that are kept and have no user any more are counted, too. */
static u32 count(const struct registry *r, const struct registry_kind *kind)
{
    u32 n = 0;
    for (struct list *l = r->all.next; l != &r->all; l = l->next)
        n += entry_of(l)->kind == kind;
    return n;
}

static struct entry **bucket_of(struct registry *r, u64 hash)
{
    return &r->bucket[hash & (r->nbuckets - 1)];
}

static struct entry *find(struct registry *r, const struct registry_kind *kind, struct slice name,
                          u64 hash)
{
    struct entry *e = *bucket_of(r, hash);
    while (e &&
           !(e->hash == hash && e->kind == kind && slice_eq((struct slice){ e->name, e->n }, name)))
        e = e->next;
    return e;
}

static void put_into_bucket(struct registry *r, struct entry *e)
{
    struct entry **bucket = bucket_of(r, e->hash);
    e->next = *bucket;
    *bucket = e;
}

static void widen(struct registry *r)
{
    free(r->bucket);
    r->nbuckets *= 2;
    r->bucket = must_zalloc(r->nbuckets * sizeof(struct entry *));
    for (struct list *l = r->all.next; l != &r->all; l = l->next)
        put_into_bucket(r, entry_of(l));
}

static struct entry *add(struct registry *r, const struct registry_kind *kind, struct slice name,
                         u64 hash)
{
    struct entry *e = must_zalloc(sizeof *e + kind->size);
    e->kind = kind;
    e->hash = hash;
    e->n = (u32)name.n;
    e->name = must_alloc(name.n + 1);
    memcpy(e->name, name.p, name.n);
    e->name[name.n] = 0;
    if (kind->init)
        kind->init(e->state, count(r, kind));
    if (r->n++ >= r->nbuckets)
        widen(r);
    list_push_front(&r->all, &e->link);
    put_into_bucket(r, e);
    return e;
}

void *registry_get(struct registry *r, struct snapshot *s, const struct registry_kind *kind,
                   struct slice name)
{
    struct registry_pin *pin = arena_alloc(&s->arena, sizeof *pin);
    u64 hash = hash64(hash_process_key(), name.p, name.n);
    pthread_mutex_lock(&r->lock);
    struct entry *e = find(r, kind, name, hash);
    if (e == NULL)
        e = add(r, kind, name, hash);
    e->users++;
    pthread_mutex_unlock(&r->lock);
    *pin = (struct registry_pin){ s->pins, r, e };
    s->pins = pin;
    return e->state;
}

static void take_out(struct registry *r, struct entry *e)
{
    struct entry **at = bucket_of(r, e->hash);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    list_remove(&e->link);
    r->n--;
}

void registry_release(struct snapshot *s)
{
    for (struct registry_pin *p = s->pins; p; p = p->next) {
        pthread_mutex_lock(&p->registry->lock);
        bool last = --p->entry->users == 0 && !p->entry->kind->kept;
        if (last)
            take_out(p->registry, p->entry);
        pthread_mutex_unlock(&p->registry->lock);
        if (last)
            free_entry(p->entry);
    }
    s->pins = NULL;
}

void registry_each(struct registry *r, const struct registry_kind *kind,
                   void (*each)(const char *name, const void *entry, void *ctx), void *ctx)
{
    pthread_mutex_lock(&r->lock);
    for (struct list *l = r->all.next; l != &r->all; l = l->next)
        if (entry_of(l)->kind == kind && entry_of(l)->users)
            each(entry_of(l)->name, entry_of(l)->state, ctx);
    pthread_mutex_unlock(&r->lock);
}

u32 registry_count(struct registry *r, const struct registry_kind *kind)
{
    u32 n = 0;
    pthread_mutex_lock(&r->lock);
    for (struct list *l = r->all.next; l != &r->all; l = l->next)
        n += entry_of(l)->kind == kind && entry_of(l)->users;
    pthread_mutex_unlock(&r->lock);
    return n;
}
