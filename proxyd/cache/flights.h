/*
 * Requests that are on their way to an origin for something that may be kept, by key: the others
 * who want the same wait for the head only. What turned out not to be for everybody is remembered
 * for two minutes, so that nobody waits for it again; and how often a URL was asked for, where
 * only what is popular is to be kept.
 */
#ifndef CACHE_FLIGHTS_H
#define CACHE_FLIGHTS_H

#include "base/cached.h"
#include "cache/key.h"
#include "cache/wake.h"

enum { FLIGHT_SHARDS = 16, FLIGHT_NOTES = 512, NOT_SHARED_S = 120, USES_S = 3600 };

struct flight {
    struct list link;
    struct cache_key key;
    struct list waiting; /* wakes */
};

struct flight_note {
    u32 tag, until; /* seconds */
    u8 kept;        /* why it is not shared: enum kept */
    u8 uses;
};

struct flight_shard {
    _Alignas(CACHE_LINE) pthread_mutex_t lock; /* guards what follows */
    struct list flights;
    struct list spare; /* have landed: never more of both than once were on the way */
    struct flight_note alone[FLIGHT_NOTES], used[FLIGHT_NOTES];
};

struct flights {
    struct flight_shard shard[FLIGHT_SHARDS];
    _Atomic u64 joined; /* who has waited */
};

/* On memory that is zero. */
void flights_init(struct flights *f);
/* Nobody is on the way, or waits, any more. */
void flights_end(struct flights *f);

enum flight_turn {
    FLIGHT_FIRST, /* *own is the caller's, until flight_land */
    FLIGHT_WAIT,  /* *wake will come */
    FLIGHT_ALONE  /* it is known not to be shared, or there is no memory */
};
/* `wake` of an exchange that has none: made; else that one waits again. */
enum flight_turn flight_board(struct flights *f, const struct cache_key *key, u64 now_s,
                              struct xchg *x, struct flight **own, struct wake **wake);
/* Without waiting: true and *own, if nobody is on the way, and it may be shared. */
bool flight_start(struct flights *f, const struct cache_key *key, u64 now_s, struct flight **own);
/* Who waits for it looks again, or goes alone. *own is NULL then. */
void flight_land(struct flights *f, struct flight **own, enum wake_reason how);
/* The exchange waits no more. *wake is NULL then. */
void flight_leave(struct flights *f, const struct cache_key *key, struct wake **wake);
/* Nobody is to wait for that for a while; KEPT_YES: it is shared again. */
void flight_note(struct flights *f, const struct cache_key *key, u64 now_s, enum kept why);
/* Why nobody waits for it now; KEPT_YES: it is not known to be for one alone. */
enum kept flight_noted(struct flights *f, const struct cache_key *key, u64 now_s);
/* That and flight_land, with one lock if they are about the same key. */
void flight_arrive(struct flights *f, const struct cache_key *key, u64 now_s, enum kept why,
                   struct flight **own, enum wake_reason how);
/* How many uses of it there were within an hour. */
unsigned flight_uses(struct flights *f, const struct cache_key *key, u64 now_s);
/* One more use of it; how many there were within an hour, at most 255. */
unsigned flight_used(struct flights *f, const struct cache_key *key, u64 now_s);

#endif
