/*
 * The process-wide shelf: idle connections that their own worker has no use for now. 64 shards
 * with a lock each, held for a few pointer moves. A connection is put on it as a bare descriptor,
 * after it has been taken out of its worker's epoll, so no worker ever touches another's struct
 * conn.
 */
#ifndef CORE_SHELF_H
#define CORE_SHELF_H

#include "base/addr.h"

struct shelf;
struct shelf_item {
    int fd;
    struct addr peer;
    u32 requests;
    u64 since_ms; /* idle since */
};

struct shelf *shelf_new(void);
void shelf_free(struct shelf *s);
/* Keyed by the target's 64-bit keyed hash and compared by name. False when the shelf is full or
 * memory is short: the caller closes. */
bool shelf_put(struct shelf *s, u64 hash, struct slice host, u16 port,
               const struct shelf_item *item);
/* The most recent one that `fits` approves of, or false. While one is judged, nobody else sees it
 * and no lock is held. */
bool shelf_take(struct shelf *s, u64 hash, struct slice host, u16 port,
                bool (*fits)(void *context, const struct addr *), void *context,
                struct shelf_item *item);
/* Closes one that has rested long, to free a descriptor, if more than `spare` are there. The shards
 * take turns. Any thread. */
bool shelf_evict(struct shelf *s, u32 spare);
/* Closes what has rested since before `ms`; all with UINT64_MAX. How many? Any thread. */
u32 shelf_sweep(struct shelf *s, u64 ms);

#endif
