/*
 * A request target is made fit to be looked at before anybody looks: what may be a password is
 * taken out here and what no URI may hold is percent-encoded, so that no log, page, rule or origin
 * needs to care. The hard thing are targets that cannot be parsed: those are logged as well, and
 * where they hide a password is a guess.
 */
#include "http/uri.h"

#include "base/str.h"
#include "http/chars.h"

/* Up to the path, query or fragment. */
static struct slice before_path(struct slice s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
        n++;
    return (struct slice){ s.p, n };
}

/* "scheme://", or nothing. */
static struct slice scheme_of(struct slice target)
{
    const char *colon = slice_find(target, ':'), *end = target.p + target.n;
    bool has = colon && end - colon >= 3 && colon[1] == '/' && colon[2] == '/';
    return (struct slice){ target.p, has ? (size_t)(colon + 3 - target.p) : 0 };
}

/* The last '@' in s, or NULL. A password may hold one that should have been encoded. */
static const char *last_at(struct slice s)
{
    for (size_t i = s.n; i-- > 0;)
        if (s.p[i] == '@')
            return s.p + i;
    return NULL;
}

static size_t encoded_length(struct slice s)
{
    size_t n = s.n;
    for (size_t i = 0; i < s.n; i++)
        n += char_is(s.p[i], CHAR_URI) ? 0 : 2;
    return n;
}

void path_encode(struct text *out, struct slice path)
{
    for (size_t i = 0; i < path.n; i++) {
        u8 c = (u8)path.p[i];
        if (char_is((char)c, CHAR_URI)) {
            text_char(out, (char)c);
            continue;
        }
        text_char(out, '%');
        text_char(out, "0123456789ABCDEF"[c >> 4]);
        text_char(out, "0123456789ABCDEF"[c & 15]);
    }
}

/* What stays of a target; the path is to be encoded. */
struct kept {
    struct slice scheme, authority, path;
};

static struct slice without_userinfo(struct slice authority)
{
    const char *at = last_at(authority);
    if (at == NULL || slice_find(slice_range(authority.p, at), '\\'))
        return authority;
    return slice_range(at + 1, authority.p + authority.n);
}

/* What is in none of the forms keeps its userinfo here: it is refused, see target_shown. */
static struct kept kept_of(enum method method, struct slice raw)
{
    struct kept k = { .path = raw };
    if (method == METHOD_CONNECT) {
        struct slice before = before_path(raw);
        k.authority = without_userinfo(before);
        k.authority.n += raw.n - before.n; /* a path, and no tunnel leads there */
        k.path.n = 0;
        return k;
    }
    if (raw.p[0] != '/')
        k.scheme = scheme_of(raw);
    if (k.scheme.n) {
        struct slice rest = slice_skip(raw, k.scheme.n), before = before_path(rest);
        k.authority = without_userinfo(before);
        k.path = slice_skip(rest, before.n);
    }
    const char *fragment = slice_find(k.path, '#');
    if (fragment)
        k.path = slice_range(k.path.p, fragment);
    return k;
}

enum fault target_take(enum method method, struct slice raw, struct arena *arena, struct slice *out)
{
    struct kept k = kept_of(method, raw);
    size_t before = k.scheme.n + k.authority.n, n = before + encoded_length(k.path);
    *out = raw;
    if (before + k.path.n == raw.n && n == raw.n)
        return FAULT_NONE;
    char *copy = arena ? arena_try(arena, n) : NULL;
    *out = (struct slice){ NULL, 0 };
    if (copy == NULL)
        return FAULT_out_of_memory;
    struct text t = text_in(copy, n);
    text_add(&t, k.scheme);
    text_add(&t, k.authority);
    path_encode(&t, k.path);
    *out = text_slice(&t);
    return FAULT_NONE;
}

size_t target_userinfo(enum method method, struct slice raw, struct slice host)
{
    struct slice rest = method == METHOD_CONNECT ? raw : slice_skip(raw, scheme_of(raw).n);
    return slice_eq(before_path(rest), host) ? host.n - without_userinfo(host).n : 0;
}

/* Behind the last "@" or "%40", or where s begins. */
static const char *behind_at(struct slice s)
{
    const char *p = s.p;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '@')
            p = s.p + i + 1;
        else if (slice_starts(slice_skip(s, i), SLICE("%40")))
            p = s.p + i + 3;
    return p;
}

struct slice target_shown(struct slice target)
{
    struct host host;
    u16 port;
    bool has_port;
    if (target.n == 0 || target.p[0] == '/')
        return target;
    struct slice scheme = scheme_of(target), authority = before_path(slice_skip(target, scheme.n));
    if (authority_parse(authority, &host, &port, &has_port) == FAULT_NONE)
        return target;
    const char *end = target.p + target.n, *at = behind_at(target);
    const char *from = at == target.p ? target.p : at, *p = from == target.p ? authority.p : from;
    while (p < end && *p != ':' && *p != '%')
        p++;
    return slice_range(from, p);
}
