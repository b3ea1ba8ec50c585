#include "core/conn/client_count.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"

enum { SHARDS = 64, BUCKETS = 64 };

struct entry {
    struct entry *next;
    u64 hash;
    u8 ip[16];
    u32 open;
};

struct shard {
    pthread_mutex_t lock; /* guards bucket and every entry in it */
    struct entry **bucket;
    u32 nbuckets; /* power of two */
    u32 n;
};

struct client_count {
    struct shard shard[SHARDS];
};

struct client_count *client_count_new(void)
{
    struct client_count *p = must_zalloc(sizeof *p);
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&p->shard[i].lock, NULL);
        p->shard[i].bucket = must_zalloc(BUCKETS * sizeof(void *));
        p->shard[i].nbuckets = BUCKETS;
    }
    return p;
}

void client_count_free(struct client_count *p)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        for (u32 b = 0; b < p->shard[i].nbuckets; b++)
            while (p->shard[i].bucket[b]) {
                struct entry *e = p->shard[i].bucket[b];
                p->shard[i].bucket[b] = e->next;
                free(e);
            }
        free(p->shard[i].bucket);
    }
    free(p);
}

static void key_of(const struct addr *a, u8 ip[16])
{
    memcpy(ip, a->ip, 16);
    if (a->family == AF_INET6)
        memset(ip + 8, 0, 8);
}

/* The low bits chose the shard. */
static struct entry **bucket_of(struct shard *s, u64 hash)
{
    return &s->bucket[(hash >> 6) & (s->nbuckets - 1)];
}

static struct entry **find(struct shard *s, u64 hash, const u8 ip[16])
{
    struct entry **e = bucket_of(s, hash);
    while (*e && ((*e)->hash != hash || memcmp((*e)->ip, ip, 16) != 0))
        e = &(*e)->next;
    return e;
}

/* Doubles a full table: chains stay short at any number of clients. Without memory for it they grow
 * until there is some. */
static void widen(struct shard *s)
{
    u32 n = s->nbuckets * 2;
    struct entry **wider = calloc(n, sizeof(void *));
    if (wider == NULL)
        return;
    for (u32 b = 0; b < s->nbuckets; b++)
        while (s->bucket[b]) {
            struct entry *e = s->bucket[b];
            s->bucket[b] = e->next;
            e->next = wider[(e->hash >> 6) & (n - 1)];
            wider[(e->hash >> 6) & (n - 1)] = e;
        }
    free(s->bucket);
    s->bucket = wider;
    s->nbuckets = n;
}

static struct entry *add(struct shard *s, u64 hash, const u8 ip[16])
{
    if (s->n >= s->nbuckets)
        widen(s);
    struct entry *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->hash = hash;
    memcpy(e->ip, ip, 16);
    struct entry **bucket = bucket_of(s, hash);
    e->next = *bucket;
    *bucket = e;
    s->n++;
    return e;
}

enum fault client_count_enter(struct client_count *p, const struct addr *a, u32 most)
{
    u8 ip[16];
    key_of(a, ip);
    u64 hash = hash64(hash_process_key(), ip, sizeof ip);
    struct shard *s = &p->shard[hash % SHARDS];
    pthread_mutex_lock(&s->lock);
    struct entry *e = *find(s, hash, ip);
    if (e == NULL)
        e = add(s, hash, ip);
    enum fault f = e == NULL         ? FAULT_out_of_memory
                   : e->open >= most ? FAULT_too_many_from_address
                                     : FAULT_NONE;
    if (f == FAULT_NONE)
        e->open++;
    pthread_mutex_unlock(&s->lock);
    return f;
}

void client_count_leave(struct client_count *p, const struct addr *a)
{
    u8 ip[16];
    key_of(a, ip);
    u64 hash = hash64(hash_process_key(), ip, sizeof ip);
    struct shard *s = &p->shard[hash % SHARDS];
    pthread_mutex_lock(&s->lock);
    struct entry **at = find(s, hash, ip);
    must(*at != NULL && (*at)->open > 0);
    if (--(*at)->open == 0) {
        struct entry *e = *at;
        *at = e->next;
        s->n--;
        free(e);
    }
    pthread_mutex_unlock(&s->lock);
}
