#include "core/conn/target.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/conn/conn.h"
#include "core/conn/shared_idle.h"

/* Some origins close earlier (Apache after 5 s), some later (nginx after 75 s): an idle
 * connection is watched, so a close by the origin is seen at once and this is only tidiness. */
enum { IDLE_MS = 60000, PEAK_WINDOW_MS = 10000 };

static struct target *find(struct worker *w, u64 hash, const struct target_key *key)
{
    struct list *bucket = &w->targets[hash % TARGET_BUCKETS];
    for (struct list *n = bucket->next; n != bucket; n = n->next) {
        struct target *t = container_of(n, struct target, link);
        if (t->hash == hash && target_key_same(&t->key, key))
            return t;
    }
    return NULL;
}

static struct target *make(struct worker *w, u64 hash, const struct target_key *key)
{
    struct target *t = calloc(1, sizeof *t + key->host.n);
    if (t == NULL)
        return NULL;
    t->hash = hash;
    t->key = *key;
    t->key.host.p = memcpy(t->host, key->host.p, key->host.n);
    list_init(&t->idle);
    list_push_front(&w->targets[hash % TARGET_BUCKETS], &t->link);
    return t;
}

/* Nobody can choose two addresses that have the same one. */
static u64 print_of(const struct addr *source)
{
    u64 print = hash64(hash_process_key(), source->ip, sizeof source->ip);
    return print ? print : 1;
}

static u64 hash_of(const struct target_key *key)
{
    u64 h = hash64(hash_process_key(), key->host.p, key->host.n) ^
            (key->port + key->profile->id * 65537) * 0x9e3779b97f4a7c15ull;
    if (unlikely(key->pinned.family))
        h ^= hash64(hash_process_key(), &key->pinned.ip, sizeof key->pinned.ip);
    h ^= key->source;
    return h;
}

struct target *target_get(struct worker *w, const struct destination *to)
{
    struct target_key key = { .profile = to->profile,
                              .host = { to->host->name, to->host->len },
                              .pinned = to->pinned,
                              .source = unlikely(to->source != NULL) ? print_of(to->source) : 0,
                              .port = to->port };
    u64 hash = hash_of(&key);
    struct target *t = find(w, hash, &key);
    if (t == NULL)
        t = make(w, hash, &key);
    if (t)
        t->refs++;
    return t;
}

static void free_if_unused(struct target *t)
{
    if (t->refs || t->nidle)
        return;
    list_remove(&t->link);
    free(t);
}

void target_put(struct worker *w, struct target **slot)
{
    struct target *t = *slot;
    (void)w;
    *slot = NULL;
    t->refs--;
    free_if_unused(t);
}

void target_free_all(struct worker *w)
{
    for (unsigned i = 0; i < TARGET_BUCKETS; i++)
        while (!list_empty(&w->targets[i])) {
            struct target *t = container_of(w->targets[i].next, struct target, link);
            list_remove(&t->link);
            free(t);
        }
}

void target_busy(struct worker *w, struct target *t)
{
    u64 now = worker_ms(w);
    if (now - t->window_ms > PEAK_WINDOW_MS) {
        t->last_peak = now - t->window_ms > 2 * PEAK_WINDOW_MS ? 0 : t->peak;
        t->peak = t->busy;
        t->window_ms = now;
    }
    if (++t->busy > t->peak)
        t->peak = t->busy;
}

void target_rest(struct target *t)
{
    t->busy--;
}

/* Takes it off the worker's idle list; it stays registered with the loop. */
static void unlist(struct conn *c)
{
    struct target *t = c->owner;
    t->nidle--;
    list_remove(&c->link);
    list_remove(&c->idle_link);
    stat_sub(c->worker->stats, STAT_upstream_idle, 1);
}

static void close_idle(struct conn *c)
{
    struct target *t = c->owner;
    unlist(c);
    conn_close(c);
    free_if_unused(t);
}

/* Read from its timer, which nothing else sets while it is idle. */
static u64 idle_since(const struct conn *c)
{
    return c->timer.deadline - IDLE_MS;
}

/* The origin has closed it, or sent something unasked. */
static void idle_ready(struct conn *c)
{
    struct worker *w = c->worker;
    struct target *t = c->owner;
    if (conn_is_quiet(c))
        return;
    idle_life_note(&w->engine->idle_lives, t->hash, worker_ms(w) - idle_since(c), worker_ms(w));
    close_idle(c);
}

static const struct conn_user idle_upstream = { "idle upstream", idle_ready, close_idle, NULL,
                                                BUF_FOR_READING };

/* One of this worker's that has rested since `oldest` at the earliest. */
static struct conn *take_own(struct target *t, const struct idle_want *want, u64 oldest, u64 *since)
{
    for (struct list *n = t->idle.next; n != &t->idle; n = n->next) {
        struct conn *c = container_of(n, struct conn, link);
        if (idle_since(c) < oldest) /* so are those behind it */
            break;
        if (!want->fits(want->self, &c->peer))
            continue;
        *since = idle_since(c);
        unlist(c);
        stat_add(c->worker->stats, STAT_upstream_reused_total, 1);
        return c;
    }
    return NULL;
}

static struct conn *take_from_shared(struct worker *w, struct target *t,
                                     const struct idle_want *want, u64 oldest, u64 *since)
{
    struct shared_idle_item item;
    if (w->engine->nworkers < 2)
        return NULL;
    while (shared_idle_take(w->engine->shared_idle, t->hash, &t->key, want->fits, want->self,
                            oldest, &item)) {
        stat_sub(w->stats, STAT_upstream_idle, 1);
        struct conn *c = conn_new(w, item.fd, &item.peer, &idle_upstream);
        if (c == NULL)
            return NULL;
        if (stream_quiet(&c->stream) != SOCK_AGAIN) { /* nobody has watched it meanwhile */
            idle_lost(w, t, (u32)(worker_ms(w) - item.since_ms));
            conn_close(c);
            continue;
        }
        *since = item.since_ms;
        c->stream.io.ready = IO_OUT;
        stat_add(w->stats, STAT_upstream_shared_reused_total, 1);
        return c;
    }
    return NULL;
}

/* The moment since which a connection may have rested; in the future: none will do. */
static u64 oldest_for(struct worker *w, const struct target *t, const struct idle_want *want)
{
    u64 now = worker_ms(w);
    if (likely(want->repeatable))
        return 0;
    u32 safe = idle_life_safe(&w->engine->idle_lives, t->hash, now);
    return safe == 0 ? UINT64_MAX : safe > now ? 0 : now - safe;
}

struct conn *idle_take(struct worker *w, struct target *t, const struct idle_want *want,
                       u32 *rested)
{
    u64 oldest = oldest_for(w, t, want), since = 0;
    if (unlikely(oldest == UINT64_MAX))
        return NULL;
    struct conn *c = take_own(t, want, oldest, &since);
    if (c == NULL)
        c = take_from_shared(w, t, want, oldest, &since);
    if (c)
        *rested = (u32)(worker_ms(w) - since);
    return c;
}

void idle_lost(struct worker *w, const struct target *t, u32 rested)
{
    idle_life_note(&w->engine->idle_lives, t->hash, rested, worker_ms(w));
}

static bool own_has_room(const struct worker *w, const struct target *t)
{
    u32 most = t->peak > t->last_peak ? t->peak : t->last_peak;
    return w->engine->nworkers < 2 || t->nidle + t->busy < most;
}

static void put_on_shared(struct target *t, struct conn *c)
{
    struct worker *w = c->worker;
    struct shared_idle_item item = { .peer = c->peer, .since_ms = worker_ms(w) };
    item.fd = conn_release(c);
    if (shared_idle_put(w->engine->shared_idle, t->hash, &t->key, &item))
        stat_add(w->stats, STAT_upstream_idle, 1);
    else
        close(item.fd);
}

void idle_give(struct target *t, struct conn *c)
{
    struct worker *w = c->worker;
    conn_drop_in(c);
    if (w->draining || !stream_may(&c->stream, STREAM_IDLE) || stream_pending(&c->stream)) {
        conn_close(c);
        return;
    }
    c->stream.io.ready &= (u8)~IO_BUFFERED;
    if (!own_has_room(w, t) && stream_may(&c->stream, STREAM_MOVE)) {
        put_on_shared(t, c);
        return;
    }
    list_remove(&c->idle_link); /* it may stand in line for memory that it needs no more */
    c->awaits_memory = false;
    conn_hand(c, &idle_upstream, t);
    c->full_reads = 0;
    c->in_class = BUF_16K;
    t->nidle++;
    list_push_front(&t->idle, &c->link);
    list_push_back(&w->idle_conns, &c->idle_link);
    stat_add(w->stats, STAT_upstream_idle, 1);
    conn_wait(c, WAIT_IDLE, IDLE_MS);
}

static bool evict_own(struct worker *w)
{
    if (list_empty(&w->idle_conns))
        return false;
    close_idle(container_of(w->idle_conns.next, struct conn, idle_link));
    return true;
}

static bool evict_from_shared(struct worker *w, u32 spare)
{
    if (!shared_idle_evict(w->engine->shared_idle, spare))
        return false;
    stat_sub(w->stats, STAT_upstream_idle, 1);
    return true;
}

bool idle_evict(struct worker *w)
{
    return evict_own(w) || evict_from_shared(w, 0);
}

void idle_evict_spare(struct worker *w)
{
    if (w->idle_conns.next != w->idle_conns.prev)
        evict_own(w);
    else
        evict_from_shared(w, list_empty(&w->idle_conns) ? 1 : 0);
}

void idle_drain(struct worker *w)
{
    while (evict_own(w))
        ;
}
