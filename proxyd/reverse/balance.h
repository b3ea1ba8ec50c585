/*
 * Which server of a pool a request goes to: each in its turn, but for those that lately could not
 * be connected to, and for those that this request has tried in vain.
 */
#ifndef REVERSE_BALANCE_H
#define REVERSE_BALANCE_H

#include "core/common/registry.h"
#include "core/common/snapshot.h"
#include "core/types.h"
#include "http/uri.h"
#include "reverse/conf.h"

struct server_state;

struct server {
    struct host host;
    u16 port;
    struct server_state *state;
};

struct pool;

/* An entry for each pool, by its name. */
extern const struct registry_kind pools;

/* Into the arena of s; what is known of its servers stays the same over reloads. */
struct pool *balance_compile(const struct pool_conf *conf, struct snapshot *s, struct registry *r);
/* The server of the next attempt; x has its lease. */
const struct server *balance_choose(struct xchg *x, struct pool *pool);
/* role->next: is there one that x has not tried? */
bool balance_next(struct xchg *x, enum fault why);

#endif
