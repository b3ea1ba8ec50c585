/*
 * Entries and their states. An entry is fresh, or past that; past it, somebody asks (flights) and
 * the others wait; when the resolver fails, old addresses stand in for an hour and one attempt
 * every few seconds runs behind them. What a look-up gets is decided in one place, find_locked.
 */
#include "io/dns_store.h"

/* The resolver has failed lately, but its last good addresses may stand in. */
static bool stands_in(const struct dns_entry *e, u64 now)
{
    return dns_not_heard(e->fault) && dns_entry_known(e) && now < e->stale_until;
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
    dns_entry_addresses(e, out);
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
    if (e && dns_entry_known(e) && now < e->stale_until) {
        w->answer.fault = FAULT_NONE;
        w->answer.stale = true;
        dns_entry_addresses(e, &w->answer);
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
    struct dns_shard *d = dns_shard_of(s, hash);
    enum dns_found found = DNS_REFUSED;
    pthread_mutex_lock(&d->lock);
    struct dns_entry *e = *dns_shard_slot(d, hash, name);
    if (e) {
        found = find_locked(e, now_ms, may_ask, ready_queue, w);
    } else if (may_ask && (e = dns_shard_add(d, hash, name)) != NULL) {
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

/* How long a failure answers for the name. A want of our own says nothing of it and may be over the
 * next instant. */
static u64 failure_hold_ms(const struct dns_entry *e, bool unasked)
{
    if (dns_entry_known(e))
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
        dns_entry_set(e, NULL, 0, 0);
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
    dns_entry_set(e, news->ips, news->n6, news->n4);
    if (e->fault == FAULT_NONE && !dns_entry_known(e)) /* no memory for them */
        e->fault = FAULT_dns_failure;
    e->fresh_until = now + ttl;
    e->refresh_at = now + ttl / 10 * 9;
    e->stale_until = e->fault == FAULT_NONE ? e->fresh_until + DNS_STALE_MS : 0;
}

void dns_cache_store(struct dns_shared *s, struct dns_entry *e, const struct dns_news *news,
                     u64 now_ms, bool over)
{
    struct dns_shard *d = dns_shard_of(s, e->hash);
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
    struct dns_shard *d = dns_shard_of(s, hash);
    pthread_mutex_lock(&d->lock);
    struct dns_entry *e = *dns_shard_slot(d, hash, name);
    if (e) {
        e->preferred = (u8)family;
        e->prefer_until = now_ms + DNS_WINNER_MS;
    }
    pthread_mutex_unlock(&d->lock);
}
