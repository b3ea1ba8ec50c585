#include "core/common/registry.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/must.h"
#include "core/common/snapshot.h"

struct entry {
    struct entry *next;
    const struct registry_kind *kind;
    u32 users; /* snapshots */
    u32 n;
    char *name;
    _Alignas(16) char state[];
};

struct registry {
    pthread_mutex_t lock; /* guards the list and `users` of its entries */
    struct entry *first;
};

/* In the snapshot's arena. */
struct registry_pin {
    struct registry_pin *next;
    struct registry *registry;
    struct entry *entry;
};

struct registry *registry_new(void)
{
    struct registry *r = must_zalloc(sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void free_entry(struct entry *e)
{
    free(e->name);
    free(e);
}

void registry_free(struct registry *r)
{
    while (r->first) {
        struct entry *e = r->first;
        r->first = e->next;
        free_entry(e);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static u32 count(const struct registry *r, const struct registry_kind *kind)
{
    u32 n = 0;
    for (const struct entry *e = r->first; e; e = e->next)
        n += e->kind == kind;
    return n;
}

static struct entry *find(const struct registry *r, const struct registry_kind *kind,
                          struct slice name)
{
    struct entry *e = r->first;
    while (e && !(e->kind == kind && slice_eq((struct slice){ e->name, e->n }, name)))
        e = e->next;
    return e;
}

static struct entry *add(struct registry *r, const struct registry_kind *kind, struct slice name)
{
    struct entry *e = must_zalloc(sizeof *e + kind->size);
    e->kind = kind;
    e->n = (u32)name.n;
    e->name = must_alloc(name.n + 1);
    memcpy(e->name, name.p, name.n);
    if (kind->init)
        kind->init(e->state, count(r, kind));
    e->next = r->first;
    r->first = e;
    return e;
}

void *registry_get(struct registry *r, struct snapshot *s, const struct registry_kind *kind,
                   struct slice name)
{
    struct registry_pin *pin = arena_alloc(&s->arena, sizeof *pin);
    pthread_mutex_lock(&r->lock);
    struct entry *e = find(r, kind, name);
    if (e == NULL)
        e = add(r, kind, name);
    e->users++;
    pthread_mutex_unlock(&r->lock);
    *pin = (struct registry_pin){ s->pins, r, e };
    s->pins = pin;
    return e->state;
}

static void take_out(struct registry *r, struct entry *e)
{
    struct entry **at = &r->first;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    free_entry(e);
}

void registry_release(struct snapshot *s)
{
    for (struct registry_pin *p = s->pins; p; p = p->next) {
        pthread_mutex_lock(&p->registry->lock);
        if (--p->entry->users == 0 && !p->entry->kind->kept)
            take_out(p->registry, p->entry);
        pthread_mutex_unlock(&p->registry->lock);
    }
    s->pins = NULL;
}

void registry_each(struct registry *r, const struct registry_kind *kind,
                   void (*each)(const char *name, const void *entry, void *ctx), void *ctx)
{
    pthread_mutex_lock(&r->lock);
    for (const struct entry *e = r->first; e; e = e->next)
        if (e->kind == kind)
            each(e->name, e->state, ctx);
    pthread_mutex_unlock(&r->lock);
}

u32 registry_count(struct registry *r, const struct registry_kind *kind)
{
    pthread_mutex_lock(&r->lock);
    u32 n = count(r, kind);
    pthread_mutex_unlock(&r->lock);
    return n;
}
