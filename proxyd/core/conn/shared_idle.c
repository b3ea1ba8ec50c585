#include "core/conn/shared_idle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "base/must.h"

enum { SHARDS = 64, MOST_PER_SHARD = 64 };

struct entry {
    struct list link;
    struct shared_idle_item item;
    u64 hash;
    struct target_key key; /* its host is the one below */
    char host[];
};

/* What is judged or closed is out of the list and belongs to one thread, so nothing is called with
 * a lock held. */
struct shard {
    pthread_mutex_t lock; /* guards the list and n */
    struct list entries;  /* put last first; a few dozen at most, so a walk is short */
    u32 n;
};

struct shared_idle {
    struct shard shard[SHARDS];
    _Atomic u32 n;    /* of all shards */
    _Atomic u32 hand; /* the next shard to evict from */
};

struct shared_idle *shared_idle_new(void)
{
    struct shared_idle *s = must_zalloc(sizeof *s);
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&s->shard[i].lock, NULL);
        list_init(&s->shard[i].entries);
    }
    return s;
}

void shared_idle_free(struct shared_idle *s)
{
    shared_idle_sweep(s, UINT64_MAX);
    free(s);
}

static void add_entry(struct shared_idle *s, struct shard *d, struct entry *e)
{
    list_push_front(&d->entries, &e->link);
    d->n++;
    atomic_fetch_add_explicit(&s->n, 1, memory_order_relaxed);
}

static void remove_entry(struct shared_idle *s, struct shard *d, struct entry *e)
{
    list_remove(&e->link);
    d->n--;
    atomic_fetch_sub_explicit(&s->n, 1, memory_order_relaxed);
}

bool shared_idle_put(struct shared_idle *s, u64 hash, const struct target_key *key,
                     const struct shared_idle_item *item)
{
    struct shard *d = &s->shard[hash % SHARDS];
    struct entry *e = malloc(sizeof *e + key->host.n);
    if (e == NULL)
        return false;
    e->item = *item;
    e->hash = hash;
    e->key = *key;
    e->key.host.p = memcpy(e->host, key->host.p, key->host.n);
    pthread_mutex_lock(&d->lock);
    bool room = d->n < MOST_PER_SHARD;
    if (room)
        add_entry(s, d, e);
    pthread_mutex_unlock(&d->lock);
    if (!room)
        free(e);
    return room;
}

/* Takes out the first one with that key, or NULL. */
static struct entry *take_out(struct shared_idle *s, u64 hash, const struct target_key *key,
                              u64 oldest)
{
    struct shard *d = &s->shard[hash % SHARDS];
    struct entry *found = NULL;
    pthread_mutex_lock(&d->lock);
    for (struct list *n = d->entries.next; n != &d->entries && !found; n = n->next) {
        struct entry *e = container_of(n, struct entry, link);
        if (e->hash == hash && e->item.since_ms >= oldest && target_key_same(&e->key, key))
            found = e;
    }
    if (found)
        remove_entry(s, d, found);
    pthread_mutex_unlock(&d->lock);
    return found;
}

/* They had a place before, so the limit is not asked again. */
static void put_back(struct shared_idle *s, u64 hash, struct list *judged)
{
    struct shard *d = &s->shard[hash % SHARDS];
    struct list *n;
    pthread_mutex_lock(&d->lock);
    while ((n = list_pop(judged)) != NULL)
        add_entry(s, d, container_of(n, struct entry, link));
    pthread_mutex_unlock(&d->lock);
}

bool shared_idle_take(struct shared_idle *s, u64 hash, const struct target_key *key,
                      bool (*fits)(void *context, const struct addr *), void *context, u64 oldest,
                      struct shared_idle_item *item)
{
    struct list unfit; /* last judged first: they go back in the order in which they were */
    struct entry *e;
    list_init(&unfit);
    while ((e = take_out(s, hash, key, oldest)) != NULL && !fits(context, &e->item.peer))
        list_push_front(&unfit, &e->link);
    if (!list_empty(&unfit))
        put_back(s, hash, &unfit);
    if (e == NULL)
        return false;
    *item = e->item;
    free(e);
    return true;
}

static void close_entry(struct entry *e)
{
    close(e->item.fd);
    free(e);
}

/* What was judged stands before what came meanwhile, so every one is looked at. */
static void take_old(struct shared_idle *s, struct shard *d, u64 ms, struct list *old)
{
    pthread_mutex_lock(&d->lock);
    for (struct list *n = d->entries.next, *next; n != &d->entries; n = next) {
        struct entry *e = container_of(n, struct entry, link);
        next = n->next;
        if (e->item.since_ms >= ms)
            continue;
        remove_entry(s, d, e);
        list_push_back(old, &e->link);
    }
    pthread_mutex_unlock(&d->lock);
}

u32 shared_idle_sweep(struct shared_idle *s, u64 ms)
{
    struct list old;
    u32 n = 0;
    list_init(&old);
    for (unsigned i = 0; i < SHARDS; i++)
        take_old(s, &s->shard[i], ms, &old);
    for (; !list_empty(&old); n++)
        close_entry(container_of(list_pop(&old), struct entry, link));
    return n;
}

static struct entry *take_last(struct shared_idle *s, struct shard *d)
{
    struct entry *last = NULL;
    pthread_mutex_lock(&d->lock);
    if (!list_empty(&d->entries)) {
        last = container_of(d->entries.prev, struct entry, link);
        remove_entry(s, d, last);
    }
    pthread_mutex_unlock(&d->lock);
    return last;
}

bool shared_idle_evict(struct shared_idle *s, u32 spare)
{
    struct entry *e = NULL;
    if (atomic_load_explicit(&s->n, memory_order_relaxed) <= spare)
        return false;
    for (unsigned i = 0; i < SHARDS && e == NULL; i++)
        e = take_last(s, &s->shard[atomic_fetch_add(&s->hand, 1) % SHARDS]);
    if (e == NULL)
        return false;
    close_entry(e);
    return true;
}
