#include "core/common/snapshot.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/must.h"
#include "core/common/self_addrs.h"
#include "core/common/registry.h"
#include "io/offload.h"

struct snapshot *snapshot_new(u32 nworkers)
{
    size_t n = sizeof(struct snapshot) + nworkers * sizeof(struct snapshot_use);
    struct snapshot *s = aligned_alloc(CACHE_LINE, (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    must(s != NULL);
    memset(s, 0, n);
    arena_init(&s->arena, 64 * 1024);
    s->self_addrs = self_addrs_new();
    s->nworkers = nworkers;
    s->made_us = clock_us(CLOCK_REALTIME);
    atomic_store(&s->holders, 1);
    return s;
}

const struct named_store *snapshot_store(const struct snapshot *s, struct slice name)
{
    for (u32 i = 0; i < s->nstores; i++)
        if (slice_eq(s->stores[i].name, name))
            return &s->stores[i];
    return NULL;
}

void snapshot_free(struct snapshot *s)
{
    registry_release(s);
    self_addrs_free(s->self_addrs);
    arena_free(&s->arena);
    free(s);
}

void snapshot_index(struct snapshot *s)
{
    for (u32 i = 0; i < s->nlisteners; i++)
        if (s->listeners[i].at->slot >= s->nslots)
            s->nslots = s->listeners[i].at->slot + 1;
    s->by_slot = arena_zalloc(&s->arena, s->nslots * sizeof(struct listener *));
    for (u32 i = 0; i < s->nlisteners; i++)
        s->by_slot[s->listeners[i].at->slot] = &s->listeners[i];
}

/* ---- the newest ---- */

/* Whoever holds the newest has to have read and held it before the engine lets go of it. No worker
 * takes this: each adopts in its own time what it has been given. */
static pthread_mutex_t newest_lock = PTHREAD_MUTEX_INITIALIZER;

struct snapshot *snapshot_hold_newest(struct engine *e)
{
    pthread_mutex_lock(&newest_lock);
    struct snapshot *s = atomic_load(&e->newest);
    if (s)
        atomic_fetch_add(&s->holders, 1);
    pthread_mutex_unlock(&newest_lock);
    return s;
}

struct snapshot *snapshot_replace_newest(struct engine *e, struct snapshot *s)
{
    pthread_mutex_lock(&newest_lock);
    struct snapshot *old = atomic_exchange(&e->newest, s);
    pthread_mutex_unlock(&newest_lock);
    return old;
}

/* ---- the end of one ---- */

static void free_all(struct snapshot *s)
{
    while (s) {
        struct snapshot *next = s->next_dead;
        snapshot_free(s);
        s = next;
    }
}

static void note_dead(struct engine *e, struct snapshot *s)
{
    s->next_dead = atomic_load(&e->dead);
    while (!atomic_compare_exchange_weak(&e->dead, &s->next_dead, s))
        ;
}

/* One job at a time, whoever posted it. It frees what was dead by then, and no more: what ends with
 * a configuration may wait for jobs of its own, a cache for reads of its disk, and those that were
 * posted while it lived are ahead of this one only if it was dead before this one was posted. */
static void run(struct offload_job *job)
{
    struct engine *e = container_of(job, struct engine, free_snapshots);
    free_all(e->dying);
    e->dying = NULL;
}

static void have_freed(struct engine *e);

/* What died while the job ended posted nothing. */
static void done(struct offload_job *job)
{
    struct engine *e = container_of(job, struct engine, free_snapshots);
    atomic_store(&e->freeing, false);
    if (atomic_load(&e->dead))
        have_freed(e);
}

/* Without offload threads, or when their queue is full, it waits for the next one or the end. */
static void have_freed(struct engine *e)
{
    if (e->offload == NULL || atomic_exchange(&e->freeing, true))
        return;
    e->free_snapshots.kind = JOB_configuration_free;
    e->free_snapshots.run = run;
    e->free_snapshots.done = done;
    e->dying = atomic_exchange(&e->dead, NULL);
    if (offload_post(e->offload, &e->free_snapshots))
        return;
    for (struct snapshot *s = e->dying, *next; s; s = next) {
        next = s->next_dead;
        note_dead(e, s);
    }
    e->dying = NULL;
    atomic_store(&e->freeing, false);
}

void snapshot_let_go(struct engine *e, struct snapshot *s)
{
    if (atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    note_dead(e, s);
    have_freed(e);
}

void snapshot_retire(struct engine *e)
{
    struct snapshot *s = snapshot_replace_newest(e, NULL);
    if (s)
        snapshot_let_go(e, s);
    free_all(atomic_exchange(&e->dead, NULL));
}
