/*
 * The administrator names the destination: route, pool, server. The client's Host is only what the
 * route is chosen by and what the server is shown; it never decides where a connection goes.
 */
#include "reverse/where.h"

#include "core/exchange/store.h"
#include "core/exchange/xchg.h"
#include "reverse/balance.h"
#include "reverse/conf.h"

struct reverse_part {
    struct routes_conf routes;
    const struct conn_profile *profile; /* of every server: plain TCP */
    struct pool *pool;
    const struct store *store; /* of the route; NULL: none */
    struct slice space;        /* of its keys */
};

/* Pools have nothing in common, whatever their servers are. */
static struct slice space_of(const struct pool_conf *pool, struct snapshot *s)
{
    size_t n = sizeof "reverse/" + pool->name.n;
    struct text t = text_in(arena_alloc(&s->arena, n), n);
    text_lit(&t, "reverse/");
    text_add(&t, pool->name);
    return text_slice(&t);
}

const void *reverse_compile(const struct node *routes, const struct node *pac, struct snapshot *s,
                            struct registry *r)
{
    (void)pac;
    struct reverse_part *part = arena_zalloc(&s->arena, sizeof *part);
    routes_conf_read(routes, &s->arena, &part->routes);
    part->pool = balance_compile(&part->routes.pool, s, r);
    part->profile = profile_intern(&(struct conn_profile){ .scheme = SCHEME_HTTP });
    const struct named_store *store = snapshot_store(s, part->routes.cache);
    part->store = store ? store->of_origin : NULL;
    part->space = space_of(&part->routes.pool, s);
    return part;
}

const struct store *reverse_store(const struct xchg *x, struct slice *space)
{
    const struct reverse_part *part = x->listen->part;
    *space = part->space;
    return part->store;
}

const struct cache_rule *reverse_caching(const struct xchg *x, bool vetted)
{
    (void)vetted;
    return &((const struct reverse_part *)x->listen->part)->routes.caching;
}

/* What the client calls this site: Host, or the target's authority, which wins. */
static void note_host(struct xchg *x)
{
    if (x->uri.form == TARGET_ABSOLUTE || x->host_field.host.len == 0)
        return;
    host_copy(&x->uri.host, &x->host_field.host);
    x->uri.port = x->host_field.port;
    x->uri.authority = x->host_field.text;
}

enum verdict reverse_where(struct xchg *x)
{
    const struct reverse_part *part = x->listen->part;
    if (x->req.method == METHOD_CONNECT) {
        x->fault = FAULT_method_not_allowed;
        return REFUSED;
    }
    if (x->attempts == 0)
        note_host(x);
    x->rule = part->routes.route;
    const struct server *s = balance_choose(x, part->pool);
    x->to = (struct destination){ .profile = part->profile,
                                  .host = &s->host,
                                  .port = s->port,
                                  .given = &s->host.addr,
                                  .ngiven = s->host.literal };
    return PASS;
}
