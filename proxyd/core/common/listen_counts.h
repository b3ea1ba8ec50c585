/* The counters of the addresses that are listened on (core/listener.h): made, and summed. */
#ifndef CORE_LISTEN_COUNTS_H
#define CORE_LISTEN_COUNTS_H

#include "core/listener.h"

/* Zeroed, one for each worker; for free(), when no connection of the address is left. */
struct listen_counts *listen_counts_new(u32 nworkers);

struct listen_sums {
    u64 open, requests, saved, cached[CACHED_COUNT];
};
/* Those of an address are added. Any thread. */
void listen_sums_add(struct listen_sums *to, const struct listen_addr *at, u32 nworkers);
/* Requests that a store was asked for, and those of them that it answered without the origin. */
u64 listen_sums_asked(const struct listen_sums *s);
u64 listen_sums_hits(const struct listen_sums *s);

#endif
