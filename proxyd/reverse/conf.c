/*
 * Rows and readers of routes and pools. A route has no conditions yet, so the first one always
 * decides; a second one could never be reached and is told so.
 */
#include "reverse/conf.h"

static const struct schema_row route_rows[] = {
    { .key = "to",
      .type = { TYPE_CHOICE, TYPE_REF },
      .choices = "pool",
      .refers = "pool",
      .min = 2,
      .max = 2,
      .required = true,
      .doc = "The pool whose servers answer.",
      .example = "to pool frontend;" },
    { .key = NULL },
};

const struct schema_row routes_rows[] = {
    { .key = "route",
      .kind = ROW_NAMED,
      .repeat = true,
      .required = true,
      .children = route_rows,
      .doc =
          "Where a request goes. Routes are tried in order and the first one that fits decides; a "
          "route without conditions fits every request.",
      .example = "route rest { to pool frontend; }" },
    { .key = NULL },
};

const struct schema_row pool_rows[] = {
    { .key = "server",
      .type = { TYPE_SERVER },
      .repeat = true,
      .required = true,
      .doc = "A plain HTTP server of the pool. New requests take the servers in turn.",
      .example = "server 10.1.0.5:8080;" },
    { .key = NULL },
};

void routes_check(const struct node *routes, struct diags *d)
{
    const struct node *first = node_child(routes, "route");
    for (const struct node *r = first ? node_again(first) : NULL; r; r = node_again(r)) {
        diag_warning(d, &r->words[r->nwords > 1], "the route %s is never reached",
                     slice_shown(node_name(r)));
        diag_more(d, "the route %s before it takes every request", slice_shown(node_name(first)));
    }
}

static void read_pool(const struct node *block, struct arena *a, struct pool_conf *pool)
{
    u32 count = 0;
    for (const struct node *s = node_child(block, "server"); s; s = node_again(s))
        count++;
    pool->name = arena_copy(a, node_name(block));
    pool->servers = arena_zalloc(a, count * sizeof *pool->servers);
    for (const struct node *s = node_child(block, "server"); s; s = node_again(s)) {
        struct server_conf *server = &pool->servers[pool->nservers++];
        value_server(node_arg(s, 0)->text, &server->host, &server->port);
        server->host = arena_copy(a, server->host);
    }
}

void routes_conf_read(const struct node *listener, struct arena *a, struct routes_conf *out)
{
    const struct node *routes = schema_ref(node_child(listener, "routes"), 0);
    const struct node *route = node_child(routes, "route");
    *out = (struct routes_conf){ .name = arena_copy(a, node_name(routes)),
                                 .route = arena_copy(a, node_name(route)) };
    read_pool(schema_ref(node_child(route, "to"), 1), a, &out->pool);
}
