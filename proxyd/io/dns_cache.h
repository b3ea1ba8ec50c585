/*
 * The process-wide part of name resolution: TTL cache, single flight, hosts table. It decides what
 * a look-up gets and who has to ask; dns.c does the asking. Nothing here waits for the network.
 *
 *   lock                guards                                                taken
 *   shard->lock         its entries; a dns_wait while parked; wait->ready     first
 *   hosts_file->lock    the pointer to the hosts table (hosts.h)              alone
 *   ready_queue->lock   its ready list and `posted`; a dns_wait in that list  inside a shard's
 *
 * Who may free: an entry only the evicting inserter, under its shard's lock, and never while its
 * flight is under way (`flights`); the flight's owner may therefore keep the pointer until it has
 * called dns_cache_store with over = true. A dns_wait belongs to whoever looks up, and may be freed
 * from within `done` on and after dns_cancel. No callback runs under a lock.
 *
 * Eviction is second-chance FIFO per shard: an entry that was used since the hand last passed is
 * spared once, so that a scan of random names pushes out itself first.
 */
#ifndef IO_DNS_CACHE_H
#define IO_DNS_CACHE_H

#include <pthread.h>

#include "io/dns.h"
#include "io/dns_reply.h"

enum {
    DNS_CACHE_NAMES = 100000,
    DNS_CACHE_BYTES = 32 << 20,
    DNS_STALE_MS = 3600 * 1000,     /* how long after its TTL an answer may stand in */
    DNS_STALE_HOLD_MS = 5000,       /* between two attempts to replace a stale answer */
    DNS_FAILURE_HOLD_MS = 1000,     /* between two attempts at a name that failed */
    DNS_WINNER_MS = 10 * 60 * 1000, /* how long a family hint lives */
    DNS_PARTIAL_TTL = 5 /* seconds, when only one family could be learned: it may be the dead one */
};

/* Where a worker's finished waits are put down. */
struct dns_ready {
    pthread_mutex_t lock;
    struct list ready;
    bool posted; /* the call is in the queue or running */
    struct call call;
    struct loop *loop;
};

struct dns_entry;

enum dns_found {
    DNS_FOUND,      /* answered */
    DNS_FOUND_ASK,  /* answered, and the caller must ask for *entry in the background */
    DNS_PARKED,     /* parked; somebody is asking */
    DNS_PARKED_ASK, /* parked, and the caller must ask for *entry */
    DNS_PARKED_TRY, /* parked, another flight waits for its turn: the caller must ask for *entry if
                       it has a turn at once, else call dns_cache_leave_flight */
    DNS_REFUSED     /* answered with a failure: nobody may ask now */
};

/* What a flight learned; ips as in an entry: n6 × 16 bytes, then n4 × 4. */
struct dns_news {
    enum fault fault;
    bool unasked; /* with a fault: nobody was asked, so it says nothing of the name */
    u8 n6, n4;
    u32 ttl; /* seconds */
    u8 ips[DNS_PER_FAMILY * 16 + DNS_PER_FAMILY * 4];
};

/* A hosts file and the servers are opened here: blocks on the disk. */
struct dns_shared *dns_cache_of_conf(const struct dns_conf_io *conf);
void dns_cache_free(struct dns_shared *s);
const struct dns_conf_io *dns_cache_conf(const struct dns_shared *s);
struct dns_server_list *dns_cache_servers(const struct dns_shared *s);

/* may_ask: the caller has room for one more flight. */
enum dns_found dns_cache_find(struct dns_shared *s, struct slice name, u64 now_ms, bool may_ask,
                              struct dns_ready *ready_queue, struct dns_wait *w,
                              struct dns_entry **entry);
/* The flight for e waits for its turn; it does no more, and ends without having begun. */
void dns_cache_queue(struct dns_entry *e);
void dns_cache_unqueue(struct dns_entry *e);
/* It has its turn. False: another one was quicker, there is nothing to ask; the flight has ended,
 * and the pointer is no longer the caller's. */
bool dns_cache_begin(struct dns_entry *e, u64 now_ms);
/* Asked for nothing: the pointer is no longer the caller's. */
void dns_cache_leave_flight(struct dns_entry *e);
/* Puts news into the entry and wakes everybody who waits for it. over: the flight has ended, the
 * pointer is no longer the caller's. */
void dns_cache_store(struct dns_shared *s, struct dns_entry *e, const struct dns_news *news,
                     u64 now_ms, bool over);
/* Takes w out of whatever list it is in. */
void dns_cache_leave(struct dns_wait *w);
/* Takes out every wait of this ready_queue; afterwards nobody posts to it. */
void dns_cache_forget(struct dns_shared *s, struct dns_ready *ready_queue);
void dns_cache_prefer(struct dns_shared *s, struct slice name, u64 now_ms, sa_family_t family);
/* Constant while the flight is under way. */
struct slice dns_entry_name(const struct dns_entry *e);

/* False when the hosts file does not know the name. */
bool dns_cache_hosts(const struct dns_shared *s, struct slice name, struct dns_answer *out);

#endif
