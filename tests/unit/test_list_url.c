/* URLs of lists: which can be fetched, and where a reference leads (RFC 3986 section 5.4). */
#include "list_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void references(void **state)
{
    (void)state;
    static const char base[] = "http://a/b/c/d?q";
    static const struct {
        const char *to, *meant;
    } rows[] = {
        { "g", "http://a/b/c/g" },
        { "./g", "http://a/b/c/g" },
        { "g/", "http://a/b/c/g/" },
        { "/g", "http://a/g" },
        { "//g", "http://g" },
        { "?y", "http://a/b/c/d?y" },
        { "g?y", "http://a/b/c/g?y" },
        { "g#s", "http://a/b/c/g" },
        { "", "http://a/b/c/d?q" },
        { ".", "http://a/b/c/" },
        { "../g", "http://a/b/g" },
        { "../../../g", "http://a/g" },
        { "http://x/y#z", "http://x/y" },
        { "mailto:x", "mailto:x" },
        { "g?y/../x", "http://a/b/c/g?y/../x" },
        { "#s", "http://a/b/c/d?q" },
    };
    for (unsigned i = 0; i < countof(rows); i++) {
        char area[LIST_URL];
        struct text t = text_in(area, sizeof area - 1);
        assert_true(list_url_resolve(&t, slice_of(base), slice_of(rows[i].to)));
        area[t.n] = 0;
        assert_string_equal(area, rows[i].meant);
    }
}

static void references_without_path(void **state)
{
    (void)state;
    char area[64];
    struct text t = text_in(area, sizeof area - 1), q = text_in(area, sizeof area - 1);
    assert_true(list_url_resolve(&t, SLICE("http://a:81"), SLICE("g")));
    assert_true(slice_is(text_slice(&t), "http://a:81/g"));
    assert_true(list_url_resolve(&q, SLICE("http://a:81?x"), SLICE("?y")));
    assert_true(slice_is(text_slice(&q), "http://a:81/?y"));
}

static void without_room(void **state)
{
    (void)state;
    char area[12];
    for (const char *const *to = (const char *const[]){ "/longer", "longer", "//longer", "?longer",
                                                        "http://longer/", "", NULL };
         *to; to++) {
        struct text t = text_in(area, sizeof area);
        assert_false(list_url_resolve(&t, SLICE("http://a/bcdefg"), slice_of(*to)));
    }
}

static void right_and_wrong(void **state)
{
    (void)state;
    static const char *const right[] = { "http://a", "http://a.test:8080/x?y", "HTTP://a/",
                                         "http://[2001:db8::1]/" };
    static const char *const wrong[] = {
        "https://a/",  "ftp://a/",      "a/b",         "http://",     "http:///x", "http://u@a/",
        "http://a b/", "http://a/\x80", "http://a/#x", "http://a:x/", ""
    };
    for (unsigned i = 0; i < countof(right); i++)
        assert_null(list_url_wrong(slice_of(right[i])));
    for (unsigned i = 0; i < countof(wrong); i++)
        assert_non_null(list_url_wrong(slice_of(wrong[i])));
    assert_true(list_url_is(SLICE("x-y+1://")) && !list_url_is(SLICE("C:/x")));
    assert_true(!list_url_is(SLICE("lists/a://b")) && !list_url_is(SLICE("://x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(references_without_path),
        cmocka_unit_test(without_room),
        cmocka_unit_test(right_and_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
