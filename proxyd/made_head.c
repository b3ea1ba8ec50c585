#include "made_head.h"

#include "base/must.h"
#include "base/str.h"
#include "http/chars.h"
#include "http/uri.h"

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((u8)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Host is made from the URL: another one would be another request. */
const char *made_head_field_wrong(struct slice field)
{
    struct slice rest = field, name;
    if (!slice_cut(&rest, ':', &name) || rest.p == NULL || !slice_is_token(name) ||
        !is_printable(field))
        return "a header is written NAME: VALUE";
    return slice_eq_nocase(name, SLICE("host")) ? "the field Host is made from the URL" : NULL;
}

/* Between "//" and the path: what Host says; of CONNECT the target. */
static struct slice authority_of(struct slice target)
{
    const char *from = memmem(target.p, target.n, "//", 2);
    struct slice rest = from ? slice_range(from + 2, target.p + target.n) : target;
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    rest.n = n;
    return n == 0 || slice_is(target, "*") ? SLICE("localhost") : rest;
}

static struct slice compose(const struct made_head *h, struct arena *a)
{
    size_t most = h->method.n + 2 * h->target.n + h->fields.n + 64;
    struct text t = text_in(arena_alloc(a, most), most);
    text_add(&t, h->method);
    text_char(&t, ' ');
    text_add(&t, h->target);
    text_lit(&t, " HTTP/1.1\r\nHost: ");
    text_add(&t, authority_of(h->target));
    text_lit(&t, "\r\n");
    text_add(&t, h->fields);
    text_lit(&t, "\r\n");
    must(!t.full);
    return text_slice(&t);
}

enum fault made_head_parse(const struct made_head *h, const struct head_limits *limits,
                           struct arena *a, struct msg **m)
{
    struct slice head = compose(h, a);
    struct head_scan scan = { 0 };
    enum fault f = FAULT_NONE;
    u32 n = head_scan(&scan, head.p, (u32)head.n, limits, &f);
    if (f != FAULT_NONE || n == 0)
        return f != FAULT_NONE ? f : FAULT_bad_request_line;
    *m = arena_alloc(a, sizeof **m);
    msg_init(*m, a);
    (*m)->host_field = arena_zalloc(a, sizeof *(*m)->host_field);
    return request_parse(*m, head.p, n, limits);
}
