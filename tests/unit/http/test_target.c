/* What is seen of a target: never a password, whether the target is any good or not, and in what
 * can be parsed only URI characters. */
#include "http/scan.h"
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

struct target_case {
    const char *raw, *seen;
};

static void check_taken(enum method method, const struct target_case *c)
{
    struct arena a;
    struct slice out;
    arena_init(&a, 0);
    assert_int_equal(target_take(method, slice_of(c->raw), &a, &out), FAULT_NONE);
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
        /* no userinfo */
        { "http://a/b@c", "http://a/b@c" },
        { "http://a?b:c@d", "http://a?b:c@d" },
        { "http://a/user:pw@b", "http://a/user:pw@b" },
        { "/user:pw@a", "/user:pw@a" },
        { "//user:pw@a/", "//user:pw@a/" },
        { "*", "*" },
        /* refused as it is */
        { "http://a\\@b/", "http://a\\@b/" },
        { "user:pw@a:443", "user:pw@a:443" },
        { "user:pw@http://user:pw@a/", "user:pw@http://user:pw@a/" },
    };
    static const struct target_case connect[] = {
        { "user:pw@a:443", "a:443" },
        { "u:p@ss@[::1]:443", "[::1]:443" },
        { "@a:443", "a:443" },
        { "user:pw@a:443/x#y", "a:443/x#y" },
        /* refused as it is */
        { "http://user:pw@a:443", "http://user:pw@a:443" },
        { "user:p/w@a:443", "user:p/w@a:443" },
    };
    for (size_t i = 0; i < countof(cases); i++)
        check_taken(METHOD_GET, &cases[i]);
    for (size_t i = 0; i < countof(connect); i++)
        check_taken(METHOD_CONNECT, &connect[i]);
    struct slice out;
    assert_int_equal(target_take(METHOD_GET, SLICE("http://a/b@c"), NULL, &out), FAULT_NONE);
    assert_int_equal(target_take(METHOD_GET, SLICE("http://u:p@a/"), NULL, &out),
                     FAULT_out_of_memory);
    assert_int_equal(out.n, 0);
}

static void what_no_uri_may_hold_is_encoded(void **state)
{
    (void)state;
    static const struct target_case cases[] = {
        { "/caf\xc3\xa9", "/caf%C3%A9" },
        { "http://a/x?q=\xe6\xb5\x8b", "http://a/x?q=%E6%B5%8B" },
        { "http://a/caf\xe9", "http://a/caf%E9" },
        { "/\"<>[\\]^`{|}?\"<>[\\]^`{|}",
          "/%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D?%22%3C%3E%5B%5C%5D%5E%60%7B%7C%7D" },
        { "http://u:\xc3\xa9@a/{", "http://a/%7B" },
        { "http://[::1]:81/[", "http://[::1]:81/%5B" },
        { "http://a?|", "http://a?%7C" },
        /* as it is */
        { "/az09-._~!$&'()*+,;=:@%41%zz%/?az09-._~!$&'()*+,;=:@%/?",
          "/az09-._~!$&'()*+,;=:@%41%zz%/?az09-._~!$&'()*+,;=:@%/?" },
        { "http://caf\xc3\xa9/", "http://caf\xc3\xa9/" },
        { "http://[::1]/", "http://[::1]/" },
    };
    for (size_t i = 0; i < countof(cases); i++)
        check_taken(METHOD_GET, &cases[i]);
}

static void a_fragment_is_cut_off(void **state)
{
    (void)state;
    static const struct target_case cases[] = {
        { "/a#b", "/a" },
        { "/a?b#c#d", "/a?b" },
        { "http://a#b", "http://a" },
        { "http://u:p@a/b?c#d@\xff", "http://a/b?c" },
        { "/#a\xff", "/" },
        { "/\xff#a", "/%FF" }, /* as long as before */
        { "#", "" },
    };
    for (size_t i = 0; i < countof(cases); i++)
        check_taken(METHOD_GET, &cases[i]);
    struct slice out;
    assert_int_equal(target_take(METHOD_CONNECT, SLICE("a:443#\xff"), NULL, &out), FAULT_NONE);
    assert_true(slice_is(out, "a:443#\xff"));
}

/* The search for the end of the target, sixteen bytes at a time, knows the same bytes as the table.
 */
static void every_byte_at_every_place(void **state)
{
    (void)state;
    char area[40];
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < sizeof area; at++) {
            memset(area, 'a', sizeof area);
            area[at] = (char)c;
            const char *found = scan_odd(area, area, area + sizeof area);
            size_t want = char_is((char)c, CHAR_URI) && c != '@' ? sizeof area : at;
            assert_int_equal(found - area, want);
        }
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
        { "user:pw@http://user:pw@a/", "a/" },
        { "http://user:pw@a:443", "a" },
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
        cmocka_unit_test(what_no_uri_may_hold_is_encoded),
        cmocka_unit_test(a_fragment_is_cut_off),
        cmocka_unit_test(every_byte_at_every_place),
        cmocka_unit_test(a_refused_target_shows_no_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
