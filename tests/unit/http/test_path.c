/* The two forms of a path that rules see. */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void both_forms(void **state)
{
    (void)state;
    static const struct {
        const char *path, *normal, *folded;
    } cases[] = {
        { "", "/", "/" },
        { "/", "/", "/" },
        { "/a/b", "/a/b", "/a/b" },
        { "*", "*", "*" },
        { "/%61%2d%7E%5f%2e", "/a-~_.", "/a-~_." },
        { "/%c3%a9%2F%3a", "/%C3%A9%2F%3A", "/\xc3\xa9/:" },
        { "/a/./b", "/a/b", "/a/b" },
        { "/a/../b", "/b", "/b" },
        { "/../../a", "/a", "/a" },
        { "/a/..", "/", "/" },
        { "/a/.", "/a/", "/a/" },
        { "/a/b/..", "/a/", "/a/" },
        { "/.", "/", "/" },
        { "/..", "/", "/" },
        { "/...", "/...", "/..." },
        { "/.a/..b/c.", "/.a/..b/c.", "/.a/..b/c." },
        { "/a/%2e%2E/b", "/b", "/b" },
        { "/a/.%2e/b", "/b", "/b" },
        { "/a/..%2fb", "/a/..%2Fb", "/b" },
        { "/a%2f..%2fb", "/a%2F..%2Fb", "/b" },
        { "/a//b", "/a//b", "/a/b" },
        { "//a///b//", "//a///b//", "/a/b/" },
        { "/a//../b", "/a/b", "/b" },
        { "/x/a/%2f/../b", "/x/a/b", "/x/b" },
        { "/%252e%252e/a", "/%252e%252e/a", "/%2e%2e/a" },
        { "/100%", "/100%", "/100%" },
        { "/%zz%2", "/%zz%2", "/%zz%2" },
        { "/%%41", "/%A", "/%A" },
        { "/a\\..\\b", "/a\\..\\b", "/a\\..\\b" },
        { "/a;b=c/d", "/a;b=c/d", "/a;b=c/d" },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        char area[64];
        struct text t = text_in(area, sizeof area);
        assert_true(path_normal(&t, slice_of(cases[i].path)));
        if (!slice_is(text_slice(&t), cases[i].normal))
            fail_msg("normal form of %s is %.*s", cases[i].path, (int)t.n, t.p);
        t = text_in(area, sizeof area);
        assert_true(path_folded(&t, slice_of(cases[i].path)));
        if (!slice_is(text_slice(&t), cases[i].folded))
            fail_msg("folded form of %s is %.*s", cases[i].path, (int)t.n, t.p);
    }
}

static void nul_is_a_byte(void **state)
{
    (void)state;
    char area[16];
    struct text t = text_in(area, sizeof area);
    assert_true(path_folded(&t, SLICE("/a%00b")));
    assert_true(slice_eq(text_slice(&t), SLICE("/a\0b")));
}

static void room(void **state)
{
    (void)state;
    char area[4];
    struct text t = text_in(area, sizeof area);
    assert_false(path_normal(&t, SLICE("/abcd")));
    t = text_in(area, sizeof area);
    assert_false(path_folded(&t, SLICE("/abcd")));
    t = text_in(area, sizeof area);
    text_char(&t, 'x');
    assert_true(path_normal(&t, SLICE("/a.")));
    assert_true(slice_is(text_slice(&t), "x/a."));
}

/* Neither what stands before nor what stands behind is looked at. */
static void its_own_bytes_only(void **state)
{
    (void)state;
    char area[40];
    struct text t = text_in(area, sizeof area);
    struct slice cut = { "/%41", 3 };
    text_char(&t, '/');
    assert_true(path_folded(&t, SLICE("/a")));
    assert_true(slice_is(text_slice(&t), "//a"));
    t = text_in(area, sizeof area);
    assert_true(path_folded(&t, cut));
    assert_true(path_normal(&t, cut));
    assert_true(slice_is(text_slice(&t), "/%4/%4"));
}

/* 64 kB of the worst cases are done at once. */
static void long_paths(void **state)
{
    (void)state;
    static char in[65536], area[65536];
    for (unsigned kind = 0; kind < 3; kind++) {
        static const char *const unit[] = { "/a/..", "/../a", "//%2f" };
        for (size_t i = 0; i + 5 <= sizeof in; i += 5)
            memcpy(in + i, unit[kind], 5);
        struct slice path = { in, sizeof in / 5 * 5 };
        struct text t = text_in(area, sizeof area);
        assert_true(path_normal(&t, path));
        t = text_in(area, sizeof area);
        assert_true(path_folded(&t, path));
        assert_true(kind != 2 || t.n == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms), cmocka_unit_test(nul_is_a_byte),
        cmocka_unit_test(room),       cmocka_unit_test(its_own_bytes_only),
        cmocka_unit_test(long_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
