/* A target that passes is canonical: only URI characters, no userinfo, and written and parsed again it
 * is the same. Normal paths never grow, and their normal form is its own normal form. */
#include "http_fuzz.h"

#include "http/chars.h"
#include "http/uri.h"

/* host_write and authority_parse are inverse, and the name holds only what a name may. */
static void check_host(const struct host *h, u16 port)
{
    char area[300];
    struct text t = text_in(area, sizeof area);
    struct host again;
    u16 port_again;
    bool has;
    CHECK(h->len > 0 && strlen(h->name) == h->len && h->addr.port == 0);
    CHECK(h->literal == (h->addr.family != 0));
    for (unsigned i = 0; i < h->len; i++)
        CHECK(memchr("abcdefghijklmnopqrstuvwxyz0123456789-_.:", h->name[i], 40) &&
              (h->literal || h->name[i] != ':'));
    CHECK(h->name[h->len - 1] != '.');
    host_write(&t, h, port);
    CHECK(authority_parse(text_slice(&t), &again, &port_again, &has) == FAULT_NONE);
    CHECK(strcmp(again.name, h->name) == 0 && again.literal == h->literal);
    CHECK(port_again == port && has == (port != 0));
    CHECK(addr_same(&again.addr, &h->addr));
}

static bool only_uri(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is(s.p[i], CHAR_URI))
            return false;
    return true;
}

/* The target as it was received: no blanks and no controls, and not empty. */
static bool may_be_received(struct slice raw)
{
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] == ' ' || raw.p[i] == '\t' || char_is(raw.p[i], CHAR_CONTROL))
            return false;
    return raw.n > 0;
}

/* What is taken is taken again as it is, and what is shown is a piece of it. */
static struct slice take(enum method method, struct slice raw, struct arena *a)
{
    struct slice target, again;
    CHECK(target_take(method, raw, a, &target) == FAULT_NONE);
    CHECK(target.n <= 3 * raw.n);
    if (target.n) {
        CHECK(target_take(method, target, NULL, &again) == FAULT_NONE);
        CHECK(slice_eq(target, again));
    }
    struct slice shown = target_shown(target);
    CHECK(shown.n <= target.n);
    return target;
}

static void check_parsed(enum method method, struct slice target)
{
    struct target_uri u, again;
    struct arena arena;
    struct msg m;
    arena_init(&arena, 0);
    if (target_parse(method, target, NULL, &u))
        return;
    CHECK(slice_eq(target_shown(target), target));
    CHECK(!slice_find(u.authority, '@'));
    CHECK(only_uri(u.path_query));
    if (u.form == TARGET_ABSOLUTE || u.form == TARGET_AUTHORITY) {
        CHECK(u.port > 0);
        check_host(&u.host, u.port);
    }
    if (u.form == TARGET_AUTHORITY)
        return;
    msg_init(&m, &arena);
    m.method = method;
    CHECK(msg_address(&m, &u, &u.host, u.port) && only_uri(m.path));
    CHECK(target_parse(method, m.path, NULL, &again) == FAULT_NONE && again.form == m.form);
    CHECK(slice_eq(again.query, u.query) && (again.query.p == NULL) == (u.query.p == NULL));
    CHECK(m.form == TARGET_ASTERISK || slice_eq(again.path, u.path));
    arena_free(&arena);
}

static void check_target(enum method method, struct slice raw)
{
    struct arena a;
    if (!may_be_received(raw))
        return;
    arena_init(&a, 0);
    check_parsed(method, take(method, raw, &a));
    arena_free(&a);
}

/* An absolute path without a dot segment. */
static void check_no_dots(struct slice path)
{
    struct slice rest = path, part;
    while (path.n && path.p[0] == '/' && rest.n) {
        const char *slash = memchr(rest.p + 1, '/', rest.n - 1);
        part = slash ? slice_range(rest.p + 1, slash) : slice_skip(rest, 1);
        CHECK(!slice_is(part, ".") && !slice_is(part, ".."));
        rest = slice_skip(rest, part.n + 1);
    }
}

static void check_path(struct slice path)
{
    size_t cap = path.n ? path.n : 1;
    char *a = malloc(cap), *b = malloc(cap);
    CHECK(a && b);
    struct text normal = text_in(a, cap), again = text_in(b, cap);
    CHECK(path_normal(&normal, path) && normal.n > 0);
    check_no_dots(text_slice(&normal));
    struct slice once = { a, normal.n };
    again.cap = once.n;
    CHECK(path_normal(&again, once));
    CHECK(slice_eq(once, text_slice(&again)) || memchr(once.p, '%', once.n));
    struct text folded = text_in(b, cap);
    CHECK(path_folded(&folded, path) && folded.n > 0);
    check_no_dots(text_slice(&folded));
    for (size_t i = 1; i < folded.n; i++)
        CHECK(b[0] != '/' || b[i] != '/' || b[i - 1] != '/');
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size > 8192)
        return 0;
    char *p = exact_copy(data, size);
    struct slice text = { p, size };
    struct host host;
    u16 port;
    bool has;
    check_target(METHOD_GET, text);
    check_target(METHOD_OPTIONS, text);
    check_target(METHOD_CONNECT, text);
    if (authority_parse(text, &host, &port, &has) == FAULT_NONE)
        check_host(&host, port);
    if (host_parse(text, &host) == FAULT_NONE)
        check_host(&host, 0);
    check_path(text);
    free(p);
    return 0;
}
