/*
 * A request target is made fit to be looked at before anybody looks: what may be a password is
 * taken out here, so that no log, page, rule or origin needs to care. The hard thing are targets
 * that cannot be parsed, for those are logged as well, and where they hide a password is a guess.
 */
#include "http/uri.h"

#include "base/str.h"

/* What stands where an authority would, up to the path, query or fragment. */
static struct slice authority_of(struct slice target)
{
    const char *p = target.p, *end = p + target.n, *colon = slice_find(target, ':');
    if (colon && end - colon >= 3 && colon[1] == '/' && colon[2] == '/')
        p = colon + 3;
    const char *to = p;
    while (to < end && *to != '/' && *to != '?' && *to != '#')
        to++;
    return slice_range(p, to);
}

/* The last '@' in s, or NULL. A password may hold one that should have been encoded. */
static const char *last_at(struct slice s)
{
    for (size_t i = s.n; i-- > 0;)
        if (s.p[i] == '@')
            return s.p + i;
    return NULL;
}

enum fault target_take(struct slice raw, struct arena *arena, struct slice *out)
{
    *out = raw;
    if (likely(!slice_find(raw, '@')) || raw.p[0] == '/')
        return FAULT_NONE;
    struct slice authority = authority_of(raw);
    const char *at = last_at(authority);
    if (at == NULL || slice_find(slice_range(authority.p, at), '\\'))
        return FAULT_NONE;
    char *copy = arena ? arena_try(arena, raw.n) : NULL;
    *out = (struct slice){ NULL, 0 };
    if (copy == NULL)
        return FAULT_out_of_memory;
    struct text t = text_in(copy, raw.n);
    text_add(&t, slice_range(raw.p, authority.p));
    text_add(&t, slice_range(at + 1, raw.p + raw.n));
    *out = text_slice(&t);
    return FAULT_NONE;
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
    struct slice authority = authority_of(target);
    if (authority_parse(authority, &host, &port, &has_port) == FAULT_NONE)
        return target;
    const char *end = target.p + target.n, *at = behind_at(target);
    const char *from = at == target.p ? target.p : at, *p = from == target.p ? authority.p : from;
    while (p < end && *p != ':' && *p != '%')
        p++;
    return slice_range(from, p);
}
