#include "core/shelf.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "base/must.h"

enum { SHARDS = 64, MOST_PER_SHARD = 64 };

struct entry {
    struct list link;
    struct shelf_item item;
    u64 hash;
    u16 port, len;
    char host[];
};

/* What is judged or closed is out of the list and belongs to one thread, so nothing is called with
 * a lock held. */
struct shard {
    pthread_mutex_t lock; /* guards the list and n */
    struct list entries;  /* put last first; a few dozen at most, so a walk is short */
    u32 n;
};

struct shelf {
    struct shard shard[SHARDS];
};

struct shelf *shelf_new(void)
{
    struct shelf *s = must_zalloc(sizeof *s);
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&s->shard[i].lock, NULL);
        list_init(&s->shard[i].entries);
    }
    return s;
}

void shelf_free(struct shelf *s)
{
    shelf_sweep(s, UINT64_MAX);
    free(s);
}

bool shelf_put(struct shelf *s, u64 hash, struct slice host, u16 port,
               const struct shelf_item *item)
{
    struct shard *d = &s->shard[hash % SHARDS];
    struct entry *e = malloc(sizeof *e + host.n);
    if (e == NULL)
        return false;
    e->item = *item;
    e->hash = hash;
    e->port = port;
    e->len = (u16)host.n;
    memcpy(e->host, host.p, host.n);
    pthread_mutex_lock(&d->lock);
    bool room = d->n < MOST_PER_SHARD;
    if (room) {
        list_push_front(&d->entries, &e->link);
        d->n++;
    }
    pthread_mutex_unlock(&d->lock);
    if (!room)
        free(e);
    return room;
}

static bool same(const struct entry *e, u64 hash, struct slice host, u16 port)
{
    return e->hash == hash && e->port == port && slice_eq((struct slice){ e->host, e->len }, host);
}

static void remove_entry(struct shard *d, struct entry *e)
{
    list_remove(&e->link);
    d->n--;
}

/* The first one to that place, or NULL. */
static struct entry *take_out(struct shard *d, u64 hash, struct slice host, u16 port)
{
    struct entry *found = NULL;
    pthread_mutex_lock(&d->lock);
    for (struct list *n = d->entries.next; n != &d->entries && !found; n = n->next) {
        struct entry *e = container_of(n, struct entry, link);
        if (same(e, hash, host, port))
            found = e;
    }
    if (found)
        remove_entry(d, found);
    pthread_mutex_unlock(&d->lock);
    return found;
}

/* They had a place, so no question is asked whether there is one. */
static void put_back(struct shard *d, struct list *judged)
{
    struct list *n;
    pthread_mutex_lock(&d->lock);
    while ((n = list_pop(judged)) != NULL) {
        list_push_front(&d->entries, n);
        d->n++;
    }
    pthread_mutex_unlock(&d->lock);
}

bool shelf_take(struct shelf *s, u64 hash, struct slice host, u16 port,
                bool (*fits)(void *context, const struct addr *), void *context,
                struct shelf_item *item)
{
    struct shard *d = &s->shard[hash % SHARDS];
    struct list unfit; /* last judged first: they go back in the order in which they were */
    struct entry *e;
    list_init(&unfit);
    while ((e = take_out(d, hash, host, port)) != NULL && !fits(context, &e->item.peer))
        list_push_front(&unfit, &e->link);
    if (!list_empty(&unfit))
        put_back(d, &unfit);
    if (e == NULL)
        return false;
    *item = e->item;
    free(e);
    return true;
}

static void close_all(struct list *entries)
{
    while (!list_empty(entries)) {
        struct entry *e = container_of(list_pop(entries), struct entry, link);
        close(e->item.fd);
        free(e);
    }
}

/* What was judged stands before what came meanwhile, so every one is looked at. */
static void take_old(struct shard *d, u64 ms, struct list *old)
{
    pthread_mutex_lock(&d->lock);
    for (struct list *n = d->entries.next, *next; n != &d->entries; n = next) {
        struct entry *e = container_of(n, struct entry, link);
        next = n->next;
        if (e->item.since_ms >= ms)
            continue;
        remove_entry(d, e);
        list_push_back(old, &e->link);
    }
    pthread_mutex_unlock(&d->lock);
}

void shelf_sweep(struct shelf *s, u64 ms)
{
    struct list old;
    list_init(&old);
    for (unsigned i = 0; i < SHARDS; i++)
        take_old(&s->shard[i], ms, &old);
    close_all(&old);
}
