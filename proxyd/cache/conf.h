/* The block `cache NAME` of the configuration, and what a snapshot makes of it. */
#ifndef CACHE_CONF_H
#define CACHE_CONF_H

#include "config/schema.h"
#include "config/tree.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"

extern const struct schema_row cache_rows[]; /* what stands in cache NAME { … } */

/* A folder has one cache. */
void cache_check(const struct node *n, struct diags *d);

/* All blocks of a checked tree, which may go afterwards: fills s->stores. */
void caches_compile(const struct tree *t, struct snapshot *s, struct registry *r);

#endif
