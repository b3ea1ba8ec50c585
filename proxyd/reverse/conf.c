/*
 * Rows and readers of routes and pools. A route has no conditions yet, so the first one always
 * decides; a second one could never be reached and earns a warning.
 */
#include "reverse/conf.h"

#include "policy/cache_rule.h"

static void read_servers(const struct schema_row *row, const struct node *first, struct arena *a,
                         void *to)
{
    struct pool_conf *pool = to;
    u32 count = 0;
    (void)row;
    for (const struct node *n = first; n; n = node_again(n))
        count++;
    pool->servers = arena_zalloc(a, count * sizeof *pool->servers);
    for (const struct node *n = first; n; n = node_again(n)) {
        struct server_conf *server = &pool->servers[pool->nservers++];
        value_server(node_arg(n, 0)->text, &server->host, &server->port);
        server->host = arena_copy(a, server->host);
    }
}

const struct schema_row pool_rows[] = {
    { .key = "server",
      .type = { TYPE_SERVER },
      .repeat = true,
      .required = true,
      .read = read_servers,
      .doc =
          "A plain HTTP server of the pool. New requests take the servers in turn. One that "
          "refuses a connection, or does not accept it in time, is passed over for a second, and "
          "the request goes on to the next, up to five in all.",
      .example = "server 10.1.0.5:8080;" },
    { .key = NULL },
};

static void read_to(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    const struct node *block = schema_ref(n, 1);
    struct pool_conf *pool = to;
    (void)row;
    pool->name = arena_copy(a, node_name(block));
    schema_fill(pool_rows, block, a, pool);
}

static void read_cache(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct routes_conf *out = to;
    (void)row;
    out->cache = n ? arena_copy(a, node_arg(n, 0)->text) : SLICE("");
}

static void read_caching(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct routes_conf *out = to;
    const struct cache_rule *said = NULL;
    cache_rule_read(row, n, a, &said);
    if (said)
        out->caching = *said;
    out->caching.name = out->route;
    out->caching.override.targeted = true;
}

static void read_cookies(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct routes_conf *out = to;
    (void)row;
    if (n)
        out->caching.cookies = cache_names_read(n, 0, a, &out->caching.ncookies);
}

static void check_cookies(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++)
        if (!slice_is(node_arg(n, i)->text, "*"))
            cache_name_check(node_arg(n, i), d);
}

static const struct schema_row route_rows[] = {
    { .key = "to",
      .type = { TYPE_CHOICE, TYPE_REF },
      .choices = "pool",
      .refers = "pool",
      .min = 2,
      .max = 2,
      .required = true,
      .offset = offsetof(struct routes_conf, pool),
      .read = read_to,
      .doc = "The pool whose servers answer.",
      .example = "to pool frontend;" },
    { .key = "cache",
      .type = { TYPE_REF },
      .refers = "cache",
      .read = read_cache,
      .doc =
          "Answers are kept in that cache, and given to all who ask for the same, as RFC 9111 has "
          "it for a shared cache. A request with `Authorization` or `Cookie` passes it by. "
          "[The cache](cache.md) tells how it is decided.",
      .example = "cache main;" },
    { .key = "cache",
      .kind = ROW_BLOCK,
      .read = read_caching,
      .check = cache_rule_check,
      .children = cache_rule_rows,
      .doc = "How that cache treats the requests of this route. [The cache](cache.md#steering-it) "
             "tells more.",
      .example = "cache { override ttl 10m; key without-params utm_*; }" },
    { .key = "cache-ignore-cookies",
      .type = { TYPE_TEXT },
      .min = 1,
      .max = SCHEMA_MANY,
      .read = read_cookies,
      .check = check_cookies,
      .doc =
          "Cookies that do not matter, by name, by the beginning of their names (`_ga*`), or all "
          "(`*`). A request whose cookies are all among them is treated as one without: the "
          "cache is asked, and the server gets no `Cookie`.",
      .example = "cache-ignore-cookies _ga* _gid;" },
    { .key = NULL },
};

/* The first one decides. */
static void read_route(const struct schema_row *row, const struct node *first, struct arena *a,
                       void *to)
{
    struct routes_conf *out = to;
    out->route = arena_copy(a, node_name(first));
    schema_fill(row->children, first, a, out);
}

const struct schema_row routes_rows[] = {
    { .key = "route",
      .kind = ROW_NAMED,
      .repeat = true,
      .required = true,
      .children = route_rows,
      .read = read_route,
      .doc =
          "Where a request goes. Routes are tried in order and the first one that fits decides; a "
          "route without conditions fits every request.",
      .example = "route rest { to pool frontend; }" },
    { .key = NULL },
};

/* What is said of a cache that no route names. */
static void check_uncached(const struct node *route, struct diags *d)
{
    bool named = false;
    for (const struct node *c = node_child(route, "cache"); c; c = node_again(c))
        named |= !c->block;
    for (const struct node *c = route->children; c && !named; c = c->next)
        if ((slice_is(node_key(c), "cache") && c->block) ||
            slice_is(node_key(c), "cache-ignore-cookies")) {
            diag_warning(d, &c->words[0], "%s has no effect without a cache",
                         slice_shown(node_key(c)));
            diag_more(d, "expected the name of one beside it, such as: cache main;");
        }
}

void routes_check(const struct node *routes, struct diags *d)
{
    for (const struct node *r = node_child(routes, "route"); r; r = node_again(r))
        check_uncached(r, d);
    const struct node *first = node_child(routes, "route");
    for (const struct node *r = first ? node_again(first) : NULL; r; r = node_again(r)) {
        diag_warning(d, &r->words[r->nwords > 1], "the route %s is never reached",
                     slice_shown(node_name(r)));
        diag_more(d, "the route %s before it takes every request", slice_shown(node_name(first)));
    }
}

void routes_conf_read(const struct node *routes, struct arena *a, struct routes_conf *out)
{
    *out = (struct routes_conf){ .name = arena_copy(a, node_name(routes)) };
    schema_fill(routes_rows, routes, a, out);
}
