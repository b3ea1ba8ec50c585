/*
 * The process-wide shared idle list: idle connections that their own worker has no use for now. 64
 * shards with a lock each, held for a few pointer moves. A connection is put on it as a bare
 * descriptor, after it has been taken out of its worker's epoll, so no worker ever touches
 * another's struct conn.
 */
#ifndef CORE_SHARED_IDLE_H
#define CORE_SHARED_IDLE_H

#include "core/conn/profile.h"

/* What two connections must have in common to be used one for the other. */
struct target_key {
    const struct conn_profile *profile;
    struct slice host;
    struct addr pinned; /* the only address that will do; family 0: any that the name leads to */
    u16 port;
    u64 source; /* of the foreign address that it is connected from; 0: of none */
};
static inline bool target_key_same(const struct target_key *a, const struct target_key *b)
{
    return a->port == b->port && a->profile == b->profile && slice_eq(a->host, b->host) &&
           a->pinned.family == b->pinned.family &&
           (likely(a->pinned.family == 0) || addr_same(&a->pinned, &b->pinned)) &&
           a->source == b->source;
}

struct shared_idle;
struct shared_idle_item {
    int fd;
    struct addr peer;
    u64 since_ms; /* idle since */
};

struct shared_idle *shared_idle_new(void);
void shared_idle_free(struct shared_idle *s);
/* Found by the target's 64-bit keyed hash and compared by its key. False when the shared idle list
 * is full or memory is short: the caller closes. */
bool shared_idle_put(struct shared_idle *s, u64 hash, const struct target_key *key,
                     const struct shared_idle_item *item);
/* The most recent one that rests since `oldest` at the earliest and that `fits` approves of, or
 * false. While one is judged, nobody else sees it and no lock is held. */
bool shared_idle_take(struct shared_idle *s, u64 hash, const struct target_key *key,
                      bool (*fits)(void *context, const struct addr *), void *context, u64 oldest,
                      struct shared_idle_item *item);
/* Closes one that has rested long, to free a descriptor, if more than `spare` are there. The shards
 * take turns. Any thread. */
bool shared_idle_evict(struct shared_idle *s, u32 spare);
/* Closes what has rested since before `ms`; all with UINT64_MAX. How many? Any thread. */
u32 shared_idle_sweep(struct shared_idle *s, u64 ms);

#endif
