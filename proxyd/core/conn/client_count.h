/*
 * How many connections each client address has open, over all workers: limits clients-per-address.
 * 64 shards with a lock each, held for a few compares; keyed hash, so that a client cannot choose
 * its shard.
 */
#ifndef CORE_CLIENT_COUNT_H
#define CORE_CLIENT_COUNT_H

#include "base/addr.h"
#include "base/fault.h"

struct client_count;

struct client_count *client_count_new(void);
void client_count_free(struct client_count *p);
/* Counts one more, or says why not: FAULT_too_many_from_address when `most` are open already,
 * FAULT_out_of_memory when there is none to count it in. IPv6 clients count by /64, the least a
 * site gets. */
enum fault client_count_enter(struct client_count *p, const struct addr *a, u32 most);
void client_count_leave(struct client_count *p, const struct addr *a);

#endif
