#include "io/dns_store.h"

#include <stdlib.h>

static size_t entry_bytes(const struct dns_entry *e)
{
    enum { HEAP_HEADERS = 32 }; /* the allocator's own, for the two blocks */
    return HEAP_HEADERS + sizeof *e + e->name_n + e->n6 * 16u + e->n4 * 4u;
}

void dns_entry_free(struct dns_entry *e)
{
    free(e->ips);
    free(e);
}

struct dns_shard *dns_shard_of(struct dns_shared *s, u64 hash)
{
    return &s->shard[hash >> 58];
}

struct dns_entry **dns_shard_slot(struct dns_shard *d, u64 hash, struct slice name)
{
    struct dns_entry **p = &d->bucket[hash & d->mask];
    while (*p && ((*p)->hash != hash || !slice_eq(dns_entry_name(*p), name)))
        p = &(*p)->next;
    return p;
}

/* Doubles the buckets; when memory is short the chains just get longer. */
static void grow(struct dns_shard *d)
{
    u32 mask = d->mask * 2 + 1;
    struct dns_entry **bucket = calloc((size_t)mask + 1, sizeof(void *));
    if (bucket == NULL)
        return;
    for (struct list *n = d->ages.next; n != &d->ages; n = n->next) {
        struct dns_entry *e = container_of(n, struct dns_entry, age);
        e->next = bucket[e->hash & mask];
        bucket[e->hash & mask] = e;
    }
    free(d->bucket);
    d->bucket = bucket;
    d->mask = mask;
}

static void remove_entry(struct dns_shard *d, struct dns_entry *e)
{
    *dns_shard_slot(d, e->hash, dns_entry_name(e)) = e->next;
    list_remove(&e->age);
    d->n--;
    d->bytes -= entry_bytes(e);
    dns_entry_free(e);
}

static bool is_full(const struct dns_shard *d)
{
    return d->n >= DNS_CACHE_NAMES / SHARDS || d->bytes >= DNS_CACHE_BYTES / SHARDS;
}

/* Two rounds of the hand at most: entries being asked for stay whatever happens, and their number
 * is bounded by the flights. */
static void make_room(struct dns_shard *d)
{
    for (u32 steps = 2 * d->n; steps > 0 && is_full(d); steps--) {
        struct dns_entry *e = container_of(d->ages.next, struct dns_entry, age);
        if (e->used || e->flights) {
            e->used = false;
            list_remove(&e->age);
            list_push_back(&d->ages, &e->age);
        } else {
            remove_entry(d, e);
        }
    }
}

struct dns_entry *dns_shard_add(struct dns_shard *d, u64 hash, struct slice name)
{
    if (is_full(d))
        make_room(d);
    struct dns_entry *e = calloc(1, sizeof *e + name.n);
    if (e == NULL)
        return NULL;
    e->shard = d;
    e->hash = hash;
    e->name_n = (u8)name.n;
    memcpy(e->name, name.p, name.n);
    list_init(&e->waiters);
    list_push_back(&d->ages, &e->age);
    d->bytes += entry_bytes(e);
    struct dns_entry **head = &d->bucket[hash & d->mask];
    e->next = *head;
    *head = e;
    if (d->n++ > d->mask)
        grow(d);
    return e;
}

struct slice dns_entry_name(const struct dns_entry *e)
{
    return (struct slice){ e->name, e->name_n };
}

void dns_entry_set(struct dns_entry *e, const u8 *ips, u8 n6, u8 n4)
{
    size_t size = n6 * 16u + n4 * 4u;
    u8 *copy = size ? malloc(size) : NULL;
    if (copy == NULL)
        n6 = n4 = 0;
    else
        memcpy(copy, ips, size);
    free(e->ips);
    e->shard->bytes -= entry_bytes(e);
    e->ips = copy;
    e->n6 = n6;
    e->n4 = n4;
    e->shard->bytes += entry_bytes(e);
}

void dns_entry_addresses(const struct dns_entry *e, struct dns_answer *out)
{
    const u8 *ip = e->ips;
    out->n = (u8)(e->n6 + e->n4);
    out->nv6 = e->n6;
    for (unsigned i = 0; i < out->n; i++) {
        u8 size = i < e->n6 ? 16 : 4;
        out->addr[i] = (struct addr){ .family = size == 16 ? AF_INET6 : AF_INET };
        memcpy(out->addr[i].ip, ip, size);
        ip += size;
    }
}
