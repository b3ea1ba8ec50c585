/*
 * How many connections each client address has open, over all workers: limits clients-per-address.
 * 64 shards with a lock each, held for a few compares; keyed hash, so that a client cannot choose
 * its shard.
 */
#ifndef CORE_PEERS_H
#define CORE_PEERS_H

#include "base/addr.h"

struct peers;

struct peers *peers_new(void);
void peers_free(struct peers *p);
/* Counts one more; false when `most` are open already, or there is no memory to count it. IPv6
 * clients count by /64, the least a site gets. */
bool peers_enter(struct peers *p, const struct addr *a, u32 most);
void peers_leave(struct peers *p, const struct addr *a);

#endif
