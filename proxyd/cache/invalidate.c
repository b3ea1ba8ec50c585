/* References are resolved by RFC 3986 section 5.2, and only as far as this question needs. */
#include "cache/invalidate.h"

#include "base/str.h"
#include "http/chars.h"
#include "http/uri.h"

enum { PATH_MOST = 4096 };

bool invalidates(enum method method, unsigned status)
{
    return !method_is_safe(method) && status >= 200 && status <= 399;
}

/* A scheme and its colon at the beginning; 0: it has none. */
static size_t scheme_length(struct slice s)
{
    size_t n = 0;
    if (s.n == 0 || !ascii_alpha(s.p[0]))
        return 0;
    while (n < s.n && (ascii_alnum(s.p[n]) || s.p[n] == '+' || s.p[n] == '-' || s.p[n] == '.'))
        n++;
    return n < s.n && s.p[n] == ':' ? n + 1 : 0;
}

static u16 port_of_scheme(struct slice scheme)
{
    return slice_eq(scheme, SLICE("https")) ? 443 : 80;
}

static bool is_host_of(const struct cache_url *target, struct slice authority)
{
    struct host host;
    u16 port;
    bool has_port;
    u16 usual = port_of_scheme(target->scheme);
    return authority_parse(authority, &host, &port, &has_port) == FAULT_NONE &&
           slice_eq((struct slice){ host.name, host.len }, target->host) &&
           (port ? port : usual) == (target->port ? target->port : usual);
}

/* Cuts scheme and authority off. False: they are not the target's. *absolute: there was an
 * authority, so what is left is no relative path. */
static bool same_origin(const struct cache_url *target, struct slice *reference, bool *absolute)
{
    size_t n = scheme_length(*reference);
    *absolute = false;
    if (n && !slice_eq_nocase((struct slice){ reference->p, n - 1 }, target->scheme))
        return false;
    *reference = slice_skip(*reference, n);
    if (!slice_starts(*reference, SLICE("//")))
        return n == 0;
    *reference = slice_skip(*reference, 2);
    *absolute = true;
    for (n = 0; n < reference->n && !memchr("/?#", reference->p[n], 3);)
        n++;
    struct slice authority = { reference->p, n };
    *reference = slice_skip(*reference, n);
    return is_host_of(target, authority);
}

static struct slice before(struct slice s, char c)
{
    const char *at = slice_find(s, c);
    return at ? slice_range(s.p, at) : s;
}

/* The directory of the target's path, with its slash. */
static struct slice directory(struct slice path)
{
    path = before(path, '?');
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return path.n ? path : SLICE("/");
}

/* path_normal reads what it writes elsewhere, so the merged path needs an area of its own. */
static bool put_path(struct text *out, struct slice base, struct slice path)
{
    char area[PATH_MOST];
    struct text merged = text_in(area, sizeof area);
    text_add(&merged, base);
    path_encode(&merged, path);
    return !merged.full && path_normal(out, text_slice(&merged));
}

bool same_origin_path(const struct cache_url *target, struct slice reference, struct text *path)
{
    bool absolute;
    for (size_t i = 0; i < reference.n; i++)
        if (reference.p[i] == ' ' || reference.p[i] == '\\' ||
            char_is(reference.p[i], CHAR_CONTROL))
            return false;
    if (!same_origin(target, &reference, &absolute))
        return false;
    reference = before(reference, '#');
    struct slice own = before(reference, '?'), query = slice_skip(reference, own.n);
    struct slice base = directory(target->path);
    if (own.n == 0 && !absolute) {
        base = before(target->path, '?');
        query = query.n ? query : slice_skip(target->path, base.n);
    } else if (absolute || own.p[0] == '/') {
        base = (struct slice){ NULL, 0 };
    }
    if (!put_path(path, base, own))
        return false;
    char area[PATH_MOST];
    struct text encoded = text_in(area, sizeof area);
    path_encode(&encoded, query);
    text_add(path, text_slice(&encoded));
    return !encoded.full && !path->full;
}

static void forget_named(const struct cache_url *target, const struct msg *response, enum token t,
                         void (*forget)(void *who, const struct cache_url *url), void *who)
{
    char area[2 * PATH_MOST];
    struct text path = text_in(area, sizeof area);
    struct slice reference = msg_get(response, t);
    if (reference.p == NULL || !same_origin_path(target, reference, &path))
        return;
    struct cache_url url = *target;
    url.path = text_slice(&path);
    forget(who, &url);
}

void invalidate(const struct cache_url *target, enum method method, const struct msg *response,
                void (*forget)(void *who, const struct cache_url *url), void *who)
{
    if (!invalidates(method, response->status))
        return;
    forget(who, target);
    forget_named(target, response, TOKEN_LOCATION, forget, who);
    forget_named(target, response, TOKEN_CONTENT_LOCATION, forget, who);
}
