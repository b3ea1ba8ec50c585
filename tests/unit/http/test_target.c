/* What is seen of a target: never a password, whether the target is any good or not. */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

struct target_case {
    const char *raw, *seen;
};

static void check_taken(const struct target_case *c)
{
    struct arena a;
    struct slice out;
    arena_init(&a, 0);
    assert_int_equal(target_take(slice_of(c->raw), &a, &out), FAULT_NONE);
    if (!slice_is(out, c->seen))
        fail_msg("%s became %.*s", c->raw, SLICE_FMT(out));
    arena_free(&a);
}

static void userinfo_is_taken_off(void **state)
{
    (void)state;
    static const struct target_case cases[] = {
        { "http://user:pass-word%2F@a:81/b?c", "http://a:81/b?c" },
        { "http://user@a", "http://a" },
        { "http://user%40corp:pw@a/", "http://a/" },
        { "http://user:p@ss@a/", "http://a/" },
        { "http://user:p<\"|>ss@a?b", "http://a?b" },
        { "http://:@a/", "http://a/" },
        { "http://@a/", "http://a/" },
        { "http://user:pw@[::1]:81/", "http://[::1]:81/" },
        { "http://user:pw@", "http://" },
        { "https://user:pw@a/", "https://a/" },
        { "ht_tp://user:pw@a/", "ht_tp://a/" },
        { "user:pw@a:443", "a:443" },
        { "@a:443", "a:443" },
        /* no userinfo */
        { "http://a/b@c", "http://a/b@c" },
        { "http://a?b:c@d", "http://a?b:c@d" },
        { "http://a/user:pw@b", "http://a/user:pw@b" },
        { "/user:pw@a", "/user:pw@a" },
        { "//user:pw@a/", "//user:pw@a/" },
        { "*", "*" },
        /* refused as it is */
        { "http://a\\@b/", "http://a\\@b/" },
    };
    for (size_t i = 0; i < countof(cases); i++)
        check_taken(&cases[i]);
    struct slice out;
    assert_int_equal(target_take(SLICE("http://a/b@c"), NULL, &out), FAULT_NONE);
    assert_int_equal(target_take(SLICE("http://u:p@a/"), NULL, &out), FAULT_out_of_memory);
    assert_int_equal(out.n, 0);
}

static void a_refused_target_shows_no_password(void **state)
{
    (void)state;
    static const struct target_case cases[] = {
        /* host and port can be read: what else is wrong may be seen */
        { "ftp://a/b@c", "ftp://a/b@c" },
        { "a:443/x", "a:443/x" },
        { "evil", "evil" },
        { "/b@c", "/b@c" },
        { "", "" },
        /* a password that cuts the authority short */
        { "http://user:pa/ss@a/b", "a/b" },
        { "http://user:pa?ss@a/b", "a/b" },
        { "http://user:pa#ss@a/b", "a/b" },
        { "http://user:pa\\ss@a/b", "a/b" },
        { "user:pa/ss@a:443", "a" },
        { "http://user:pw%40a/b", "a/b" },
        { "http://user%3Apw%40a/b", "a/b" },
        /* where the host was forgotten */
        { "http://user:pw/b", "http://user" },
        { "http://user%3apw/b", "http://user" },
        { "user:pw", "user" },
        { "http:/user:pw@a", "a" },
        { "http:user:pw", "http" },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct slice shown = target_shown(slice_of(cases[i].raw));
        if (!slice_is(shown, cases[i].seen))
            fail_msg("%s is shown as %.*s", cases[i].raw, SLICE_FMT(shown));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(userinfo_is_taken_off),
        cmocka_unit_test(a_refused_target_shows_no_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
