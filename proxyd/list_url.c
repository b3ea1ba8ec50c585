#include "list_url.h"

#include "base/str.h"
#include "http/uri.h"

/* How long the scheme at its beginning is, without the colon; 0: there is none. */
static size_t scheme_of(struct slice s)
{
    size_t n = 0;
    while (n < s.n && (ascii_alnum(s.p[n]) || s.p[n] == '+' || s.p[n] == '-' || s.p[n] == '.'))
        n++;
    return n && n < s.n && s.p[n] == ':' && ascii_alpha(s.p[0]) ? n : 0;
}

bool list_url_is(struct slice text)
{
    size_t n = scheme_of(text);
    return n && text.n >= n + 3 && memcmp(text.p + n, "://", 3) == 0;
}

/* "http://HOST:PORT" of a URL. */
static struct slice origin_of(struct slice url)
{
    size_t n = scheme_of(url) + 3;
    while (n < url.n && url.p[n] != '/' && url.p[n] != '?')
        n++;
    return (struct slice){ url.p, n < url.n ? n : url.n };
}

const char *list_url_wrong(struct slice url)
{
    struct target_uri u;
    struct slice scheme = { url.p, scheme_of(url) };
    if (slice_eq_nocase(scheme, SLICE("https")))
        return "lists over https arrive with TLS, which this version does not have yet";
    if (!slice_eq_nocase(scheme, SLICE("http")))
        return "only http:// can be fetched";
    if (url.n >= LIST_URL)
        return "it is too long";
    for (size_t i = 0; i < url.n; i++)
        if ((u8)url.p[i] <= ' ' || (u8)url.p[i] >= 0x7f || url.p[i] == '#')
            return "blanks, controls, letters beyond ASCII and # cannot stand in it";
    if (slice_find(origin_of(url), '@'))
        return "a name and a password in it would stand in logs";
    if (target_parse(METHOD_GET, url, NULL, &u) != FAULT_NONE)
        return "its host or its port is wrong";
    return NULL;
}

static struct slice until(struct slice s, char c)
{
    const char *end = slice_find(s, c);
    return end ? slice_range(s.p, end) : s;
}

/* A path with query, behind the origin that is there already. */
static bool add_path(struct text *out, struct slice folder, struct slice to)
{
    char area[LIST_URL], other[LIST_URL];
    struct text whole = text_in(area, sizeof area), normal = text_in(other, sizeof other);
    struct slice path = until(to, '?');
    text_add(&whole, folder);
    text_add(&whole, path);
    if (whole.full || !path_normal(&normal, text_slice(&whole)))
        return false;
    text_add(out, text_slice(&normal));
    text_add(out, slice_skip(to, path.n));
    return true;
}

bool list_url_resolve(struct text *out, struct slice from, struct slice to)
{
    to = until(to, '#');
    struct slice origin = origin_of(from), path = until(slice_skip(from, origin.n), '?');
    if (scheme_of(to) || to.n == 0) {
        text_add(out, to.n ? to : from);
        return !out->full;
    }
    if (slice_starts(to, SLICE("//"))) {
        text_lit(out, "http:");
        text_add(out, to);
        return !out->full;
    }
    text_add(out, origin);
    if (to.p[0] == '?') {
        text_add(out, path.n ? path : SLICE("/"));
        text_add(out, to);
    } else if (to.p[0] == '/') {
        return add_path(out, SLICE(""), to) && !out->full;
    } else {
        const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
        struct slice folder = slash ? slice_range(path.p, slash + 1) : SLICE("/");
        return add_path(out, folder, to) && !out->full;
    }
    return !out->full;
}
