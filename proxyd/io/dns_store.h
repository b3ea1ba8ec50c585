/*
 * Where the entries of the DNS cache lie: shards, each with a lock, a hash table and a bound. For
 * dns_cache.c and dns_shared.c alone. All functions are under the shard's lock.
 */
#ifndef IO_DNS_STORE_H
#define IO_DNS_STORE_H

#include "base/hash.h"
#include "io/dns_cache.h"

enum { SHARDS = 64, FIRST_BUCKETS = 16 };

struct dns_entry {
    struct dns_entry *next; /* in its bucket */
    struct list age;        /* in shard->ages, oldest first */
    struct list waiters;
    struct dns_shard *shard;
    u8 *ips; /* last good addresses, as in dns_news */
    u64 hash;
    u64 fresh_until, refresh_at; /* ms; fresh_until 0: nothing is known, or no more */
    u64 stale_until, prefer_until;
    u8 n6, n4;
    u8 fault; /* what is known now; the addresses may be older */
    u8 preferred;
    u8 flights;  /* for it: one, or two when somebody had a turn before the one that waits */
    bool queued; /* one of them waits for its turn */
    bool used;
    bool open; /* one is under way, and only one family is known yet */
    u8 name_n;
    char name[];
};

struct dns_shard {
    _Alignas(CACHE_LINE) pthread_mutex_t lock;
    struct dns_entry **bucket;
    u32 mask, n;
    u64 bytes;
    struct list ages;
};

struct dns_shared {
    struct dns_shard shard[SHARDS];
    struct dns_conf_io conf;
    char *search;
    struct hosts_file *hosts;
    struct dns_server_list *servers;
};

struct dns_shard *dns_shard_of(struct dns_shared *s, u64 hash);
/* Where the pointer to the entry of that name is, or would be. */
struct dns_entry **dns_shard_slot(struct dns_shard *d, u64 hash, struct slice name);
/* A new entry for a name that has none; makes room for it. NULL: no memory. */
struct dns_entry *dns_shard_add(struct dns_shard *d, u64 hash, struct slice name);
void dns_entry_free(struct dns_entry *e);
/* Other addresses, as in dns_news; copied. Without memory it has none. */
void dns_entry_set(struct dns_entry *e, const u8 *ips, u8 n6, u8 n4);
/* Its last good addresses, into n, nv6 and addr. */
void dns_entry_addresses(const struct dns_entry *e, struct dns_answer *out);
static inline bool dns_entry_known(const struct dns_entry *e)
{
    return e->n6 + e->n4 > 0;
}

#endif
