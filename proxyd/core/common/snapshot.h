/*
 * The configuration that is in force: one immutable object with a number of holders. A worker uses
 * the newest one that it has adopted; an exchange pins the one it began with, so it never sees two
 * configurations; a tunnel keeps a record of its own and no snapshot.
 *
 * The hard thing is when one may be freed. Pins are counted for each worker apart, by plain numbers
 * that only its thread touches: a pin costs one addition. A worker lets go of a snapshot when it
 * has adopted a newer one and its own pins are gone; whoever lets go last gives it to an offload
 * thread, because freeing a large one takes milliseconds.
 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "core/conf.h"
#include "core/listener.h"
#include "core/worker.h"

struct list_slot;
struct self_addrs;
struct registry_pin;

struct named_store {
    struct slice name;
    /* As a listener uses it; and on the side of an origin, by a route. */
    const struct store *store, *of_origin;
};

struct snapshot_use {
    _Alignas(CACHE_LINE) u32 n; /* pins of one worker */
};

struct snapshot {
    struct arena arena; /* holds everything below, texts included */
    u64 generation;     /* counts from 1; given by adopt_publish */
    u64 made_us;        /* wall clock */
    struct conf conf;
    struct listener *listeners; /* one for each address, in the order of the file */
    u32 nlisteners;
    struct listener **by_slot; /* [listen_addr.slot]; NULL: not in this configuration */
    u32 nslots;
    const struct list_slot **lists; /* those that the directions' rules ask */
    u32 nlists;
    struct named_store *stores; /* those that listeners and routes name */
    u32 nstores;
    struct self_addrs *self_addrs; /* the addresses of the proxy itself, admin's included */
    struct registry_pin *pins;     /* entries of the registry that it uses */
    _Atomic u32 holders;           /* workers that may still use it, and who made it */
    struct snapshot *next_dead;
    u32 nworkers;
    struct snapshot_use use[]; /* for each worker */
};

/* Empty, held once by the caller. */
struct snapshot *snapshot_new(u32 nworkers);
/* Fills by_slot from listeners. */
void snapshot_index(struct snapshot *s);
/* The one of that name; NULL: there is none. */
const struct named_store *snapshot_store(const struct snapshot *s, struct slice name);
/* For those who know that nobody else holds it. */
void snapshot_free(struct snapshot *s);

/* The newest, held: for threads that are no workers, which have theirs. NULL: the end is there. */
struct snapshot *snapshot_hold_newest(struct engine *e);
/* In place of the newest, to which the engine's hold stays; it is the caller's now. */
struct snapshot *snapshot_replace_newest(struct engine *e, struct snapshot *s);
/* Gives back one hold. With the last one the snapshot is freed, by an offload thread where there is
 * one. Any thread. */
void snapshot_let_go(struct engine *e, struct snapshot *s);
/* At the end, when the workers are gone: what the engine holds, and what nobody has freed yet. */
void snapshot_retire(struct engine *e);

static inline struct snapshot *snapshot_pin(const struct worker *w, struct snapshot *s)
{
    s->use[w->id].n++;
    return s;
}
/* Clears *s. */
static inline void snapshot_unpin(struct worker *w, struct snapshot **s)
{
    struct snapshot *old = *s;
    *s = NULL;
    if (--old->use[w->id].n == 0 && unlikely(old != w->snapshot))
        snapshot_let_go(w->engine, old);
}
/* What it makes of the address; NULL: nobody listens there any more. */
static inline const struct listener *snapshot_listener(const struct snapshot *s,
                                                       const struct listen_addr *at)
{
    return at->slot < s->nslots ? s->by_slot[at->slot] : NULL;
}

#endif
