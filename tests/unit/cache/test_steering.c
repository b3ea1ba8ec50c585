/* What of a URL makes the key, and which cookies do not matter. */
#include "cache/steering.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tests/unit/cache/help_message.h"

static const struct slice params[] = { SLICE("utm_*"), SLICE("gclid") };
static const struct slice cookies[] = { SLICE("_ga*"), SLICE("lang") };
static const struct slice all[] = { SLICE("*") };

static void paths(void **state)
{
    (void)state;
    static const struct cache_rule by_name = { .params = params, .nparams = 2 },
                                   without = { .without_query = true }, silent = { .ncookies = 0 };
    static const struct {
        const struct cache_rule *rule;
        const char *path, *want;
    } rows[] = {
        { NULL, "/a?utm_x=1", "/a?utm_x=1" },
        { &silent, "/a?utm_x=1", "/a?utm_x=1" },
        { &without, "/a?b=1", "/a" },
        { &without, "/a?", "/a" },
        { &without, "/a", "/a" },
        { &by_name, "/a", "/a" },
        { &by_name, "/a?utm_x=1", "/a" },
        { &by_name, "/a?utm_x", "/a" },
        { &by_name, "/a?b=1&utm_x=1&c", "/a?b=1&c" },
        { &by_name, "/a?gclid=1&gclid=2&gclidx=3", "/a?gclidx=3" },
        { &by_name, "/a?utm%5Fx=1", "/a?utm%5Fx=1" },
        { &by_name, "/a?UTM_x=1", "/a?UTM_x=1" },
        { &by_name, "/a?", "/a?" },
        { &by_name, "/a?b&", "/a?b&" },
        { &by_name, "/a?&utm_x", "/a?" },
        { &by_name, "/utm_x=1?b", "/utm_x=1?b" },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char area[64];
        struct text t = text_in(area, strlen(rows[i].path));
        struct slice got = steering_path(rows[i].rule, slice_of(rows[i].path), &t);
        if (!slice_is(got, rows[i].want) || t.full)
            fail_msg("%s: %.*s", rows[i].path, SLICE_FMT(got));
    }
}

static void the_cookies(void **state)
{
    (void)state;
    static const struct cache_rule some = { .cookies = cookies, .ncookies = 2 },
                                   any = { .cookies = all, .ncookies = 1 };
    static const struct {
        const struct cache_rule *rule;
        const char *fields;
        bool ignored;
    } rows[] = {
        { NULL, "", true },
        { NULL, "Cookie: \r\n", false },
        { &some, "", true },
        { &some, "Cookie: _ga=1\r\n", true },
        { &some, "Cookie: _ga=1; _gab=2;lang=x ;\r\n", true },
        { &some, "Cookie: _ga=1\r\nCookie: sid=1\r\n", false },
        { &some, "Cookie: _ga=1, sid=1\r\n", true }, /* the comma is of the value */
        { &some, "Cookie: langx=1\r\n", false },
        { &some, "Cookie: Lang=1\r\n", false },
        { &some, "Cookie: =1\r\n", false },
        { &some, "Cookie: sid\r\n", false },
        { &any, "Cookie: sid; =1\r\n", true },
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < countof(rows); i++) {
        struct msg m;
        help_request(&m, &arena, rows[i].fields);
        if (steering_ignores_cookies(rows[i].rule, &m) != rows[i].ignored)
            fail_msg("%zu: %s", i, rows[i].fields);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(paths), cmocka_unit_test(the_cookies) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
