#include "cache/request.h"

#include "cache/steering.h"

static bool note_url(struct xchg *x, struct notes *n)
{
    struct slice path = x->uri.path_query;
    if (path.n == 0 || path.p[0] != '/') { /* "http://host?query" */
        struct text t = text_in(arena_try(&x->arena, path.n + 1), path.n + 1);
        if (t.p == NULL)
            return false;
        text_char(&t, '/');
        text_add(&t, path);
        path = text_slice(&t);
    }
    n->url = (struct cache_url){ .space = x->space.n ? x->space : slice_of(x->role->name),
                                 .scheme = SLICE("http"),
                                 .host = { x->uri.host.name, x->uri.host.len },
                                 .port = x->uri.port,
                                 .path = path };
    return true;
}

static bool note_key(struct xchg *x, struct notes *n)
{
    struct cache_url url = n->url;
    if (unlikely(steering_cuts(n->rule, url.path))) {
        struct text t = text_in(arena_try(&x->arena, url.path.n), url.path.n);
        if (t.p == NULL)
            return false;
        url.path = steering_path(n->rule, url.path, &t);
    }
    n->key_path = url.path;
    n->by_key = url.path.n != n->url.path.n;
    cache_key_of(&n->use->cache->memory.secret, &url, &n->key);
    return true;
}

bool request_name(struct xchg *x)
{
    struct notes *n = notes_of(x);
    return note_url(x, n) && note_key(x, n);
}

bool request_is_edited(const struct xchg *x)
{
    return x->role->alters && x->role->alters(x);
}

enum kept request_alone(const struct msg *m, const struct cache_rule *rule, bool origin_side)
{
    if ((m->method != METHOD_GET && m->method != METHOD_HEAD) || m->body != BODY_NONE ||
        m->upgrade_websocket)
        return KEPT_METHOD;
    if (rule && rule->bypass)
        return KEPT_RULE;
    if (origin_side && (msg_has(m, TOKEN_AUTHORIZATION) || !steering_ignores_cookies(rule, m)))
        return KEPT_PERSONAL;
    if (msg_has(m, TOKEN_IF_MATCH) || msg_has(m, TOKEN_IF_UNMODIFIED_SINCE))
        return KEPT_CONDITIONAL;
    return KEPT_YES;
}

enum kept request_passes(const struct xchg *x)
{
    const struct notes *n = notes_of(x);
    enum kept why = request_alone(&x->req, n->rule, n->use->origin_side);
    if (why != KEPT_METHOD && unlikely(request_is_edited(x)))
        return KEPT_EDITED;
    return why;
}
