/* What a successful unsafe request makes untrue: RFC 9111 section 4.4. */
#include "cache/invalidate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

#define END "\r\n"

static const struct cache_url target = {
    { "f", 1 }, { "http", 4 }, { "example.org", 11 }, 8080, { "/dir/page?q=1", 13 }
};

static void references(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        /* RFC 3986 section 5.4, as far as it is about paths */
        { "g", "/dir/g" },
        { "./g", "/dir/g" },
        { "g/", "/dir/g/" },
        { "/g", "/g" },
        { "?y", "/dir/page?y" },
        { "g?y", "/dir/g?y" },
        { "#s", "/dir/page?q=1" },
        { "g#s?x", "/dir/g" },
        { "", "/dir/page?q=1" },
        { ".", "/dir/" },
        { "..", "/" },
        { "../g", "/g" },
        { "../../../g", "/g" },
        { "/./g/../h", "/h" },
        { "g?y/../x", "/dir/g?y/../x" },
        { ";x", "/dir/;x" },
        { "a[1]|%7e", "/dir/a%5B1%5D%7C~" },
        { "http://example.org:8080/x?y#z", "/x?y" },
        { "HTTP://EXAMPLE.org:8080", "/" },
        { "http://example.org:8080?y", "/?y" },
        { "//example.org:8080/x", "/x" },
        /* other origins, and what is no reference */
        { "http://example.org/x", NULL },
        { "http://example.org:80/x", NULL },
        { "https://example.org:8080/x", NULL },
        { "http://example.com:8080/x", NULL },
        { "//example.com/x", NULL },
        { "http://example.org:8080@evil/x", NULL },
        { "http://user@example.org:8080/x", NULL },
        { "http:g", NULL },
        { "http:/g", NULL },
        { "mailto:a@b", NULL },
        { "http://", NULL },
        { "///x", NULL },
        { "\\\\example.org:8080\\x", NULL },
        { "a b", NULL },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char area[300];
        struct text path = text_in(area, sizeof area);
        bool same = same_origin_path(&target, slice_of(rows[i][0]), &path);
        if (same != (rows[i][1] != NULL) || (same && !slice_is(text_slice(&path), rows[i][1])))
            fail_msg("%s: %d, %.*s", rows[i][0], same, (int)path.n, area);
    }
}

/* The scheme's own port, named or not. */
static void default_ports(void **state)
{
    (void)state;
    char area[300];
    struct cache_url t = target;
    t.port = 0;
    struct text path = text_in(area, sizeof area);
    assert_true(same_origin_path(&t, SLICE("http://example.org:80/"), &path));
    assert_true(same_origin_path(&t, SLICE("http://example.org/"), &path));
    assert_false(same_origin_path(&t, SLICE("http://example.org:443/"), &path));
    t.scheme = SLICE("https");
    assert_true(same_origin_path(&t, SLICE("https://example.org:443/"), &path));
    assert_false(same_origin_path(&t, SLICE("http://example.org/"), &path));
}

static void too_long(void **state)
{
    (void)state;
    static char reference[9000];
    char area[16000];
    struct text path = text_in(area, sizeof area);
    memset(reference, 'a', sizeof reference - 1);
    assert_false(same_origin_path(&target, slice_of(reference), &path));
    reference[0] = '?';
    path = text_in(area, sizeof area);
    assert_false(same_origin_path(&target, slice_of(reference), &path));
}

static void collect(void *who, const struct cache_url *url)
{
    struct text *t = who;
    assert_true(slice_eq(url->host, target.host) && url->port == target.port);
    text_add(t, url->path);
    text_char(t, ' ');
}

static void forgotten(void **state)
{
    (void)state;
    static const struct {
        enum method method;
        unsigned status;
        const char *fields, *want;
    } rows[] = {
        { METHOD_POST, 200, "", "/dir/page?q=1 " },
        { METHOD_POST, 201, "Location: /new" END "Content-Location: old" END,
          "/dir/page?q=1 /new /dir/old " },
        { METHOD_PUT, 303, "Location: http://elsewhere/x" END, "/dir/page?q=1 " },
        { METHOD_DELETE, 399, "", "/dir/page?q=1 " },
        { METHOD_PATCH, 204, "", "/dir/page?q=1 " },
        { METHOD_OTHER, 207, "", "/dir/page?q=1 " }, /* safety unknown */
        { METHOD_POST, 400, "Location: /new" END, "" },
        { METHOD_POST, 500, "", "" },
        { METHOD_GET, 200, "Location: /new" END, "" },
        { METHOD_HEAD, 200, "", "" },
        { METHOD_OPTIONS, 200, "", "" },
        { METHOD_TRACE, 200, "", "" },
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg m;
        char area[300];
        struct text t = text_in(area, sizeof area);
        help_response(&m, &arena, rows[i].status, rows[i].fields);
        invalidate(&target, rows[i].method, &m, collect, &t);
        if (!slice_is(text_slice(&t), rows[i].want))
            fail_msg("row %zu: %.*s", i, (int)t.n, area);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(default_ports),
        cmocka_unit_test(too_long),
        cmocka_unit_test(forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
