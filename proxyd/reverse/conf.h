/* Pools and routes as the reverse direction reads them. In this form all routes of a listener lead
 * to one pool of plain HTTP servers. */
#ifndef REVERSE_CONF_H
#define REVERSE_CONF_H

#include "base/arena.h"
#include "base/cache_rule.h"
#include "config/schema.h"
#include "config/tree.h"

struct server_conf {
    struct slice host; /* a name, an IPv4 address, or an IPv6 address without brackets */
    u16 port;
};

struct pool_conf {
    struct slice name;
    struct server_conf *servers;
    u32 nservers; /* at least 1 */
};

struct routes_conf {
    struct slice name;         /* of the routes block */
    struct slice route;        /* of the route that decides, for the log */
    struct slice cache;        /* it names; empty: its answers are not kept */
    struct cache_rule caching; /* how they are kept */
    struct pool_conf pool;
};

/* Reads what `routes NAME;` of a listener's block leads to. The listener's tree must have been
 * checked and may go. */
void routes_conf_read(const struct node *routes, struct arena *a, struct routes_conf *out);

extern const struct schema_row routes_rows[]; /* what stands in routes NAME { … } */
extern const struct schema_row pool_rows[];   /* what stands in pool NAME { … } */
/* A routes block as a whole. */
void routes_check(const struct node *routes, struct diags *d);

#endif
