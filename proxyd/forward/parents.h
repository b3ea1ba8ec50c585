/*
 * A parent: proxies that what a rule with `via` allows goes through, in order. The first that can
 * be connected to is asked; a request never goes another way.
 */
#ifndef FORWARD_PARENTS_H
#define FORWARD_PARENTS_H

#include <stdatomic.h>

#include "config/schema.h"
#include "core/common/registry.h"
#include "core/exchange/role.h"

/* One proxy of a parent, in the registry by parent and HOST:PORT; kept, for profiles and tunnels
 * point to it. */
struct parent {
    _Atomic u64 rests_until_ms; /* on the workers' clock; 0: it could be connected to */
    _Atomic u32 rest_ms;        /* how long it rests this time */
    _Atomic bool slow;          /* it did not refuse, it did not answer */
    _Atomic u64 uses, failures; /* requests and tunnels that were given to it; connects in vain */
};
extern const struct registry_kind forward_parents;

struct parents;

extern const struct schema_row parent_rows[]; /* what stands in parent NAME { … } */
/* A parent block as a whole: proxies that it names twice. */
void parents_check(const struct node *block, struct diags *d);
/* A checked block, in the arena of s; what is known of its proxies stays the same over reloads. */
const struct parents *parents_compile(const struct node *block, struct snapshot *s,
                                      struct registry *r);

/* One of its own, in another arena; what is known of the proxies is shared. */
const struct parents *parents_copy(const struct parents *p, struct arena *a);

/* Where: the next proxy that x has not tried (*tried: a bit for each), into x->to, with its lease;
 * REFUSED with parent_unavailable when there is none. */
enum verdict parents_choose(struct xchg *x, const struct parents *p, u8 *tried);
/* For role->next, of an exchange that goes there: of a proxy that could not be connected to always,
 * for parents_choose says the rest; of one that did not answer while another one is left. */
bool parents_next(const struct xchg *x, const struct parents *p, u8 tried, enum fault why);
/* role->address_request of such an exchange: there is a connection. */
bool parents_address(struct xchg *x);

#endif
