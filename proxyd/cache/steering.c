/* Names are compared as they stand: what is spelled otherwise, say with %XX, counts as another
 * parameter or cookie, and then it matters. */
#include "cache/steering.h"

#include "base/str.h"

static bool is_among(struct slice name, const struct slice *patterns, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        struct slice p = patterns[i];
        bool open = slice_ends(p, SLICE("*"));
        p.n -= open;
        if (open ? slice_starts(name, p) : slice_eq(name, p))
            return true;
    }
    return false;
}

struct slice steering_path(const struct cache_rule *r, struct slice path, struct text *out)
{
    if (!steering_cuts(r, path))
        return path;
    const char *mark = slice_find(path, '?');
    struct slice rest = slice_range(mark + 1, path.p + path.n), one;
    text_add(out, slice_range(path.p, mark));
    char lead = '?';
    while (!r->without_query && slice_cut(&rest, '&', &one)) {
        const char *equals = slice_find(one, '=');
        if (is_among(equals ? slice_range(one.p, equals) : one, r->params, r->nparams))
            continue;
        text_char(out, lead);
        text_add(out, one);
        lead = '&';
    }
    return out->n == path.n ? path : text_slice(out);
}

bool steering_is_early(const struct cache_rule *r)
{
    return r && (r->bypass || r->without_query || r->nparams);
}

static bool all_among(struct slice cookies, const struct cache_rule *r)
{
    struct slice one;
    while (slice_cut(&cookies, ';', &one)) {
        one = slice_trim(one);
        const char *equals = slice_find(one, '=');
        struct slice name = equals ? slice_range(one.p, equals) : one;
        if (one.n && !is_among(name, r->cookies, r->ncookies))
            return false;
    }
    return true;
}

bool steering_ignores_cookies(const struct cache_rule *r, const struct msg *request)
{
    const struct field *f = msg_find(request, TOKEN_COOKIE);
    if (r == NULL || r->ncookies == 0)
        return f == NULL;
    for (; f; f = msg_find_next(request, f))
        if (!all_among(msg_value(request, f), r))
            return false;
    return true;
}
