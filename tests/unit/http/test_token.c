/* Every row of the table is found in any case, nothing else is. */
#include "http/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/str.h"
#include "http/hop.h"

static void every_name_is_found(void **state)
{
    (void)state;
    for (unsigned t = 1; t < TOKEN_COUNT; t++) {
        struct slice name = token_name((enum token)t);
        char lower[64], upper[64];
        assert_true(name.n > 0 && name.n < sizeof lower);
        for (size_t i = 0; i < name.n; i++) {
            lower[i] = ascii_lower(name.p[i]);
            upper[i] = ascii_alpha(name.p[i]) ? (char)(name.p[i] & ~0x20) : name.p[i];
        }
        assert_int_equal(token_find(name), t);
        assert_int_equal(token_find((struct slice){ lower, name.n }), t);
        assert_int_equal(token_find((struct slice){ upper, name.n }), t);
    }
}

/* Each byte of each name replaced by each other byte: only its other case is the same name. */
static void neighbours_are_not_found(void **state)
{
    (void)state;
    for (unsigned t = 1; t < TOKEN_COUNT; t++) {
        struct slice name = token_name((enum token)t);
        char other[64];
        for (size_t i = 0; i < name.n; i++)
            for (unsigned c = 0; c < 256; c++) {
                memcpy(other, name.p, name.n);
                other[i] = (char)c;
                bool same = slice_eq_nocase(name, (struct slice){ other, name.n });
                assert_int_equal(token_find((struct slice){ other, name.n }) == (enum token)t,
                                 same);
            }
        assert_int_not_equal(token_find((struct slice){ name.p, name.n - 1 }), t);
    }
    assert_int_equal(token_find((struct slice){ NULL, 0 }), TOKEN_OTHER);
    assert_int_equal(token_find(SLICE("x")), TOKEN_OTHER);
    assert_int_equal(token_find(SLICE("ab")), TOKEN_OTHER);
    char longest[300];
    memset(longest, 'a', sizeof longest);
    for (size_t n = 0; n <= sizeof longest; n++)
        assert_int_equal(token_find((struct slice){ longest, n }), TOKEN_OTHER);
}

static void flags_are_sensible(void **state)
{
    (void)state;
    static const enum token keep[] = {
        TOKEN_HOST,           TOKEN_CONTENT_LENGTH, TOKEN_CACHE_CONTROL, TOKEN_DATE,
        TOKEN_CONTENT_TYPE,   TOKEN_AUTHORIZATION,  TOKEN_VIA,           TOKEN_MAX_FORWARDS,
        TOKEN_SET_COOKIE,     TOKEN_COOKIE,         TOKEN_X_REAL_IP,     TOKEN_FORWARDED,
        TOKEN_X_FORWARDED_FOR
    };
    static const enum token hop[] = { TOKEN_CONNECTION,        TOKEN_KEEP_ALIVE,
                                      TOKEN_PROXY_CONNECTION,  TOKEN_TE,
                                      TOKEN_TRANSFER_ENCODING, TOKEN_UPGRADE,
                                      TOKEN_HTTP2_SETTINGS,    TOKEN_TRAILER };
    for (size_t i = 0; i < countof(keep); i++)
        assert_true(token_flags(keep[i]) & TOKEN_KEEP);
    for (size_t i = 0; i < countof(hop); i++)
        assert_true(token_flags(hop[i]) & TOKEN_HOP);
    u64 mask[2];
    token_mask(mask, TOKEN_PROXY);
    for (unsigned t = 1; t < TOKEN_COUNT; t++) {
        struct slice name = token_name((enum token)t);
        bool proxy = name.n > 6 && slice_starts(name, SLICE("Proxy-"));
        assert_int_equal(!!(token_flags((enum token)t) & TOKEN_PROXY), proxy);
        assert_int_equal(mask[t >> 6] >> (t & 63) & 1, proxy);
        assert_false((token_flags((enum token)t) & TOKEN_HOP) &&
                     (token_flags((enum token)t) & TOKEN_KEEP));
        if (token_flags((enum token)t) & TOKEN_HOP)
            assert_true(token_flags((enum token)t) & TOKEN_NO_TRAILER);
    }
    assert_int_equal(token_flags(TOKEN_OTHER), 0);
}

static void methods(void **state)
{
    (void)state;
    for (unsigned m = METHOD_GET; m <= METHOD_PATCH; m++)
        assert_int_equal(method_find(method_name((enum method)m)), m);
    static const char *const unknown[] = { "", "get", "GETS", "GE", "PUT ", "PROPFIND", "Post" };
    for (size_t i = 0; i < countof(unknown); i++)
        assert_int_equal(method_find(slice_of(unknown[i])), METHOD_OTHER);
    assert_true(method_is_idempotent(METHOD_PUT));
    assert_true(method_is_idempotent(METHOD_DELETE));
    assert_true(method_is_idempotent(METHOD_GET));
    assert_false(method_is_idempotent(METHOD_POST));
    assert_false(method_is_idempotent(METHOD_PATCH));
    assert_false(method_is_idempotent(METHOD_CONNECT));
    assert_false(method_is_idempotent(METHOD_OTHER));
    assert_false(method_is_safe(METHOD_PUT));
}

static void reasons(void **state)
{
    (void)state;
    assert_true(slice_is(status_reason(200), "OK"));
    assert_true(slice_is(status_reason(502), "Bad Gateway"));
    assert_int_equal(status_reason(299).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found),
        cmocka_unit_test(neighbours_are_not_found),
        cmocka_unit_test(flags_are_sensible),
        cmocka_unit_test(methods),
        cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
