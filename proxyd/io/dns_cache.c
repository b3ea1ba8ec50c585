/*
 * Entries and their states. An entry is fresh, or past that; past it, somebody asks (flights) and
 * the others wait; when the resolver fails, old addresses stand in for an hour and one attempt
 * every few seconds runs behind them. What a look-up gets is decided in one place, find_locked.
 */
#include "io/dns_cache.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "io/hosts.h"

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

/* ---- set-up ---- */

static char *copy_of(struct slice s)
{
    char *p = must_alloc(s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

struct dns_shared *dns_cache_of_conf(const struct dns_conf_io *conf)
{
    struct dns_shared *s = aligned_alloc(CACHE_LINE, sizeof *s);
    must(s != NULL);
    memset(s, 0, sizeof *s);
    s->conf = *conf;
    s->search = copy_of(conf->search);
    s->conf.search = (struct slice){ s->search, conf->search.n };
    s->conf.hosts_path = NULL;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        pthread_mutex_init(&d->lock, NULL);
        d->bucket = must_zalloc(FIRST_BUCKETS * sizeof(void *));
        d->mask = FIRST_BUCKETS - 1;
        list_init(&d->ages);
    }
    s->hosts = hosts_file_new(conf->hosts_path);
    s->servers = dns_server_list_new(conf->servers, conf->nservers,
                                     conf->resolv_conf ? conf->resolv_conf : "/etc/resolv.conf");
    s->conf.resolv_conf = NULL;
    return s;
}

static size_t entry_bytes(const struct dns_entry *e)
{
    enum { HEAP_HEADERS = 32 }; /* the allocator's own, for the two blocks */
    return HEAP_HEADERS + sizeof *e + e->name_n + e->n6 * 16u + e->n4 * 4u;
}

static void free_entry(struct dns_entry *e)
{
    free(e->ips);
    free(e);
}

void dns_cache_free(struct dns_shared *s)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        struct list *n;
        while ((n = list_pop(&d->ages)) != NULL)
            free_entry(container_of(n, struct dns_entry, age));
        free(d->bucket);
        pthread_mutex_destroy(&d->lock);
    }
    hosts_file_free(s->hosts);
    dns_server_list_free(s->servers);
    free(s->search);
    free(s);
}

const struct dns_conf_io *dns_cache_conf(const struct dns_shared *s)
{
    return &s->conf;
}

struct dns_server_list *dns_cache_servers(const struct dns_shared *s)
{
    return s->servers;
}

/* ---- entries; all under the shard's lock ---- */

static struct dns_shard *shard_of(struct dns_shared *s, u64 hash)
{
    return &s->shard[hash >> 58];
}

static struct dns_entry **slot_of(struct dns_shard *d, u64 hash, struct slice name)
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
    *slot_of(d, e->hash, dns_entry_name(e)) = e->next;
    list_remove(&e->age);
    d->n--;
    d->bytes -= entry_bytes(e);
    free_entry(e);
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

static struct dns_entry *new_entry(struct dns_shard *d, u64 hash, struct slice name)
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

static bool has_addresses(const struct dns_entry *e)
{
    return e->n6 + e->n4 > 0;
}

/* The resolver has failed lately, but its last good addresses may stand in. */
static bool stands_in(const struct dns_entry *e, u64 now)
{
    return dns_not_heard(e->fault) && has_addresses(e) && now < e->stale_until;
}

static void copy_addresses(const struct dns_entry *e, struct dns_answer *out)
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

static void answer_failure(struct dns_answer *out, u8 fault)
{
    out->fault = (enum fault)fault;
    out->n = out->nv6 = 0;
    out->stale = out->open = false;
    out->preferred = 0;
}

/* What the entry says now. */
static void answer(const struct dns_entry *e, u64 now, struct dns_answer *out)
{
    bool stale = stands_in(e, now);
    answer_failure(out, e->fault);
    if (e->fault != FAULT_NONE && !stale)
        return;
    out->fault = FAULT_NONE;
    out->stale = stale;
    out->open = e->open;
    out->preferred = now < e->prefer_until ? e->preferred : 0;
    copy_addresses(e, out);
}

/* ---- looking up ---- */

static void park(struct dns_entry *e, struct dns_ready *ready_queue, struct dns_wait *w)
{
    w->ready_queue = ready_queue;
    w->shard = e->shard;
    w->ready = false;
    list_push_back(&e->waiters, &w->link);
}

static enum dns_found refused(const struct dns_entry *e, u64 now, struct dns_wait *w)
{
    answer_failure(&w->answer, FAULT_dns_failure);
    if (e && has_addresses(e) && now < e->stale_until) {
        w->answer.fault = FAULT_NONE;
        w->answer.stale = true;
        copy_addresses(e, &w->answer);
    }
    return DNS_REFUSED;
}

static enum dns_found find_locked(struct dns_entry *e, u64 now, bool may_ask,
                                  struct dns_ready *ready_queue, struct dns_wait *w)
{
    bool fresh = now < e->fresh_until;
    bool first = e->flights == 0, in_line = e->flights == 1 && e->queued;
    e->used = true;
    if (fresh || stands_in(e, now)) {
        answer(e, now, &w->answer);
        bool ask = may_ask && first && (!fresh || (e->fault == FAULT_NONE && now >= e->refresh_at));
        e->flights += ask;
        return ask ? DNS_FOUND_ASK : DNS_FOUND;
    }
    if (first && !may_ask)
        return refused(e, now, w);
    park(e, ready_queue, w);
    if (!may_ask || !(first || in_line))
        return DNS_PARKED;
    e->flights++;
    return first ? DNS_PARKED_ASK : DNS_PARKED_TRY;
}

void dns_cache_queue(struct dns_entry *e)
{
    pthread_mutex_lock(&e->shard->lock);
    e->queued = true;
    pthread_mutex_unlock(&e->shard->lock);
}

void dns_cache_unqueue(struct dns_entry *e)
{
    pthread_mutex_lock(&e->shard->lock);
    e->queued = false;
    pthread_mutex_unlock(&e->shard->lock);
}

void dns_cache_leave_flight(struct dns_entry *e)
{
    struct dns_shard *d = e->shard;
    pthread_mutex_lock(&d->lock);
    e->flights--;
    pthread_mutex_unlock(&d->lock);
}

bool dns_cache_begin(struct dns_entry *e, u64 now_ms)
{
    struct dns_shard *d = e->shard;
    pthread_mutex_lock(&d->lock);
    bool known = now_ms < e->fresh_until;
    e->queued = false;
    e->flights -= known;
    pthread_mutex_unlock(&d->lock);
    return !known;
}

enum dns_found dns_cache_find(struct dns_shared *s, struct slice name, u64 now_ms, bool may_ask,
                              struct dns_ready *ready_queue, struct dns_wait *w,
                              struct dns_entry **entry)
{
    u64 hash = hash64(hash_process_key(), name.p, name.n);
    struct dns_shard *d = shard_of(s, hash);
    enum dns_found found = DNS_REFUSED;
    pthread_mutex_lock(&d->lock);
    struct dns_entry *e = *slot_of(d, hash, name);
    if (e) {
        found = find_locked(e, now_ms, may_ask, ready_queue, w);
    } else if (may_ask && (e = new_entry(d, hash, name)) != NULL) {
        found = find_locked(e, now_ms, true, ready_queue, w);
        e->used = false; /* asked for once is not yet worth sparing */
    } else {
        found = refused(NULL, now_ms, w);
    }
    pthread_mutex_unlock(&d->lock);
    *entry = e;
    return found;
}

/* ---- news ---- */

/* Into the queue of finished waits of its worker, whose call is posted unless it is on its way. */
static void wake(struct dns_wait *w)
{
    struct dns_ready *in = w->ready_queue;
    w->ready = true;
    pthread_mutex_lock(&in->lock);
    list_push_back(&in->ready, &w->link);
    bool post = !in->posted;
    in->posted = true;
    pthread_mutex_unlock(&in->lock);
    if (post)
        loop_post(in->loop, &in->call);
}

static void set_addresses(struct dns_entry *e, const u8 *ips, u8 n6, u8 n4)
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

/* How long a failure answers for the name. A want of our own says nothing of it and may be over the
 * next instant. */
static u64 failure_hold_ms(const struct dns_entry *e, bool unasked)
{
    if (has_addresses(e))
        return DNS_STALE_HOLD_MS;
    return unasked || e->fault == FAULT_out_of_descriptors ? 0 : DNS_FAILURE_HOLD_MS;
}

static void take_failure(struct dns_entry *e, const struct dns_news *news, u64 now)
{
    if (now < e->fresh_until &&
        (e->fault == FAULT_NONE || news->unasked)) { /* known, and not by it */
        e->refresh_at = now + DNS_FAILURE_HOLD_MS;
        return;
    }
    e->fault = (u8)news->fault;
    if (now >= e->stale_until)
        set_addresses(e, NULL, 0, 0);
    e->fresh_until = now + failure_hold_ms(e, news->unasked);
}

static void take_news(struct dns_entry *e, const struct dns_news *news, u64 now)
{
    if (dns_not_heard(news->fault)) {
        take_failure(e, news, now);
        return;
    }
    u64 ttl = news->ttl * 1000ull;
    e->fault = (u8)news->fault;
    set_addresses(e, news->ips, news->n6, news->n4);
    if (e->fault == FAULT_NONE && !has_addresses(e)) /* no memory for them */
        e->fault = FAULT_dns_failure;
    e->fresh_until = now + ttl;
    e->refresh_at = now + ttl / 10 * 9;
    e->stale_until = e->fault == FAULT_NONE ? e->fresh_until + DNS_STALE_MS : 0;
}

void dns_cache_store(struct dns_shared *s, struct dns_entry *e, const struct dns_news *news,
                     u64 now_ms, bool over)
{
    struct dns_shard *d = shard_of(s, e->hash);
    struct list *n;
    pthread_mutex_lock(&d->lock);
    e->flights -= over;
    if (news->unasked && e->flights) { /* the other one will tell */
        pthread_mutex_unlock(&d->lock);
        return;
    }
    take_news(e, news, now_ms);
    e->open = !over;
    while ((n = list_pop(&e->waiters)) != NULL) {
        struct dns_wait *w = container_of(n, struct dns_wait, link);
        answer(e, now_ms, &w->answer);
        wake(w);
    }
    pthread_mutex_unlock(&d->lock);
}

void dns_cache_leave(struct dns_wait *w)
{
    struct dns_ready *in = w->ready_queue;
    if (in == NULL)
        return;
    pthread_mutex_lock(&w->shard->lock);
    if (w->ready) {
        pthread_mutex_lock(&in->lock);
        list_remove(&w->link);
        pthread_mutex_unlock(&in->lock);
    } else {
        list_remove(&w->link);
    }
    pthread_mutex_unlock(&w->shard->lock);
    w->ready_queue = NULL;
}

static void forget_waiters(struct dns_entry *e, const struct dns_ready *ready_queue)
{
    for (struct list *n = e->waiters.next, *next; n != &e->waiters; n = next) {
        struct dns_wait *w = container_of(n, struct dns_wait, link);
        next = n->next;
        if (w->ready_queue != ready_queue)
            continue;
        list_remove(n);
        w->ready_queue = NULL;
    }
}

void dns_cache_forget(struct dns_shared *s, struct dns_ready *ready_queue)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        pthread_mutex_lock(&d->lock);
        for (struct list *n = d->ages.next; n != &d->ages; n = n->next)
            forget_waiters(container_of(n, struct dns_entry, age), ready_queue);
        pthread_mutex_unlock(&d->lock);
    }
    struct list *n;
    pthread_mutex_lock(&ready_queue->lock);
    while ((n = list_pop(&ready_queue->ready)) != NULL)
        container_of(n, struct dns_wait, link)->ready_queue = NULL;
    pthread_mutex_unlock(&ready_queue->lock);
}

void dns_cache_prefer(struct dns_shared *s, struct slice name, u64 now_ms, sa_family_t family)
{
    u64 hash = hash64(hash_process_key(), name.p, name.n);
    struct dns_shard *d = shard_of(s, hash);
    pthread_mutex_lock(&d->lock);
    struct dns_entry *e = *slot_of(d, hash, name);
    if (e) {
        e->preferred = (u8)family;
        e->prefer_until = now_ms + DNS_WINNER_MS;
    }
    pthread_mutex_unlock(&d->lock);
}

static u64 sum(struct dns_shared *s, bool bytes)
{
    u64 total = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        pthread_mutex_lock(&d->lock);
        total += bytes ? d->bytes + (d->mask + 1ull) * sizeof(void *) : d->n;
        pthread_mutex_unlock(&d->lock);
    }
    return total;
}

u64 dns_shared_names(struct dns_shared *s)
{
    return sum(s, false);
}

u64 dns_shared_bytes(struct dns_shared *s)
{
    return sum(s, true);
}

/* ---- what changes outside ---- */

/* What other servers answered, that a name does not exist above all, need not hold any more.
 * Addresses may still stand in when the new ones fail. */
static void expire_all(struct dns_shared *s)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct dns_shard *d = &s->shard[i];
        pthread_mutex_lock(&d->lock);
        for (struct list *n = d->ages.next; n != &d->ages; n = n->next)
            container_of(n, struct dns_entry, age)->fresh_until = 0;
        pthread_mutex_unlock(&d->lock);
    }
}

bool dns_shared_refresh_servers(struct dns_shared *s)
{
    bool others = dns_server_list_refresh(s->servers);
    if (others)
        expire_all(s);
    return others;
}

bool dns_shared_refresh_hosts(struct dns_shared *s)
{
    return hosts_file_refresh(s->hosts);
}

bool dns_cache_hosts(const struct dns_shared *s, struct slice name, struct dns_answer *out)
{
    unsigned n = hosts_file_find(s->hosts, name, out->addr, &out->nv6);
    if (n == 0)
        return false;
    out->fault = FAULT_NONE;
    out->n = (u8)n;
    out->stale = out->open = false;
    out->preferred = 0;
    return true;
}

bool dns_search(const struct dns_shared *s, struct slice name, struct text *out)
{
    struct dns_answer known;
    if (s->conf.search.n == 0 || name.n == 0 || slice_find(name, '.') || slice_find(name, ':') ||
        slice_eq(name, SLICE("localhost")) || dns_cache_hosts(s, name, &known))
        return false;
    text_add(out, name);
    text_char(out, '.');
    text_add(out, s->conf.search);
    return true;
}
