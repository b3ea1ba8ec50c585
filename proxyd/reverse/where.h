/* Where does it go, and may it go there? */
#ifndef REVERSE_WHERE_H
#define REVERSE_WHERE_H

#include "config/tree.h"
#include "core/common/registry.h"
#include "core/exchange/stage.h"

struct reverse_part;

/* The reverse_part of a listener's block of a checked tree, in the arena of s; what lasts of a pool
 * is in the registry. */
const void *reverse_compile(const struct node *routes, const struct node *pac, struct snapshot *s,
                            struct registry *r);
/* What the route's answers are kept in, if that is named. */
const struct store *reverse_store(const struct xchg *x, struct slice *space);
/* What the route says of that: role.h. Never NULL. */
const struct cache_rule *reverse_caching(const struct xchg *x, bool vetted);
/* The next server of the pool. */
enum verdict reverse_where(struct xchg *x);

#endif
