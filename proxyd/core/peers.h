/*
 * How many connections each client address has open, over all workers: limits clients-per-address.
 * 64 shards with a lock each, held for a few compares; keyed hash, so that a client cannot choose
 * its shard.
 */
#ifndef CORE_PEERS_H
#define CORE_PEERS_H

#include "base/addr.h"
#include "base/fault.h"

struct peers;

struct peers *peers_new(void);
void peers_free(struct peers *p);
/* Counts one more, or says why not: FAULT_too_many_from_address when `most` are open already,
 * FAULT_out_of_memory when there is none to count it in. IPv6 clients count by /64, the least a
 * site gets. */
enum fault peers_enter(struct peers *p, const struct addr *a, u32 most);
void peers_leave(struct peers *p, const struct addr *a);

#endif
