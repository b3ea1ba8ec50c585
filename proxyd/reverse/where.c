/*
 * The administrator names the destination: route, pool, server. The client's Host is only what
 * the route is chosen by and what the server is told; it never decides where a connection goes.
 */
#include "reverse/where.h"

#include <stdatomic.h>

#include "base/must.h"
#include "core/xchg.h"
#include "reverse/conf.h"

struct server {
    struct host host;
    u16 port;
};

/* In the registry, by the pool's name. */
struct pool_state {
    _Atomic u32 turn; /* shared by all workers: round robin over the servers */
};
static const struct registry_kind pools = { .name = "pool", .size = sizeof(struct pool_state) };

struct reverse_part {
    struct routes_conf routes;
    const struct conn_profile *profile; /* of every server: plain TCP */
    struct server *servers;
    struct pool_state *pool;
};

const void *reverse_compile(const struct node *routes, struct snapshot *s, struct registry *r)
{
    struct arena *a = &s->arena;
    struct reverse_part *part = arena_zalloc(a, sizeof *part);
    routes_conf_read(routes, a, &part->routes);
    const struct pool_conf *pool = &part->routes.pool;
    part->servers = arena_zalloc(a, pool->nservers * sizeof *part->servers);
    part->pool = registry_get(r, s, &pools, pool->name);
    for (u32 i = 0; i < pool->nservers; i++) {
        char area[260];
        struct text t = text_in(area, sizeof area);
        bool v6 = slice_find(pool->servers[i].host, ':') != NULL; /* host_parse wants brackets */
        if (v6)
            text_char(&t, '[');
        text_add(&t, pool->servers[i].host);
        if (v6)
            text_char(&t, ']');
        must(host_parse(text_slice(&t), &part->servers[i].host) == FAULT_NONE);
        part->servers[i].port = pool->servers[i].port;
    }
    part->profile = profile_intern(&(struct conn_profile){ .scheme = SCHEME_HTTP });
    return part;
}

/* What the client calls this site: Host, or the target's authority, which wins. */
static void note_host(struct xchg *x)
{
    if (x->uri.form == TARGET_ABSOLUTE || x->host_field.host.len == 0)
        return;
    x->uri.host = x->host_field.host;
    x->uri.port = x->host_field.port;
}

enum verdict reverse_where(struct xchg *x)
{
    const struct reverse_part *part = x->listen->part;
    if (x->req.method == METHOD_CONNECT) {
        x->fault = FAULT_method_not_allowed;
        return REFUSED;
    }
    note_host(x);
    u32 n = part->routes.pool.nservers;
    u32 i = n == 1 ? 0 : atomic_fetch_add_explicit(&part->pool->turn, 1, memory_order_relaxed) % n;
    x->rule = part->routes.route;
    const struct server *s = &part->servers[i];
    x->to = (struct destination){ .profile = part->profile,
                                  .host = &s->host,
                                  .port = s->port,
                                  .given = &s->host.addr,
                                  .ngiven = s->host.literal };
    return PASS;
}
