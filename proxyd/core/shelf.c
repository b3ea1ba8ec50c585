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

struct shard {
    pthread_mutex_t lock; /* guards the list and n */
    struct list entries;  /* most recent first; a few dozen at most, so a walk is short */
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

bool shelf_take(struct shelf *s, u64 hash, struct slice host, u16 port,
                bool (*fits)(void *context, const struct addr *), void *context,
                struct shelf_item *item)
{
    struct shard *d = &s->shard[hash % SHARDS];
    struct entry *found = NULL;
    pthread_mutex_lock(&d->lock);
    for (struct list *n = d->entries.next; n != &d->entries && !found; n = n->next) {
        struct entry *e = container_of(n, struct entry, link);
        if (same(e, hash, host, port) && fits(context, &e->item.peer))
            found = e;
    }
    if (found) {
        list_remove(&found->link);
        d->n--;
    }
    pthread_mutex_unlock(&d->lock);
    if (!found)
        return false;
    *item = found->item;
    free(found);
    return true;
}

void shelf_sweep(struct shelf *s, u64 ms)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *d = &s->shard[i];
        pthread_mutex_lock(&d->lock);
        /* oldest last */
        while (!list_empty(&d->entries)) {
            struct entry *e = container_of(d->entries.prev, struct entry, link);
            if (e->item.since_ms >= ms)
                break;
            list_remove(&e->link);
            d->n--;
            close(e->item.fd);
            free(e);
        }
        pthread_mutex_unlock(&d->lock);
    }
}
