/* U-labels to A-labels, and what has none. */
#include "base/idn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void names(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "m\xc3\xbcnchen.test", "xn--mnchen-3ya.test" },
        { "M\xc3\x9cNCHEN.TEST", "xn--mnchen-3ya.test" },
        { "mu\xcc\x88nchen.test", "xn--mnchen-3ya.test" }, /* u and a combining diaeresis */
        { "fa\xc3\x9f.test", "xn--fa-hia.test" },          /* sharp s stays what it is */
        { "\xe4\xbe\x8b\xe3\x81\x88.test", "xn--r8jz45g.test" },
        { "\xef\xbd\x81\xe3\x80\x82test", "a.test" }, /* full width, ideographic full stop */
        { "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1", "127.1" },
        { "a\xc2\xad"
          "b.test",
          "ab.test" }, /* soft hyphen */
        { "\xff.test", NULL },
        { "\xc3.test", NULL },
        { "a\xcc\x88\xe2\x80\x8f.test", NULL }, /* right-to-left mark */
        { "", NULL },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char area[300];
        struct text t = text_in(area, sizeof area);
        bool ok = idn_to_ascii(&t, slice_of(rows[i][0]));
        if (ok != (rows[i][1] != NULL) || (ok && !slice_is(text_slice(&t), rows[i][1])))
            fail_msg("%s: %d %.*s", rows[i][0], ok, SLICE_FMT(text_slice(&t)));
        assert_true(ok || t.n == 0);
    }
    assert_true(idn_is_needed(slice_of(rows[0][0])));
    assert_false(idn_is_needed(SLICE("xn--mnchen-3ya.test")));
}

static void lengths_and_bytes(void **state)
{
    (void)state;
    char area[300], longer[2000];
    struct text t = text_in(area, 10);
    assert_false(idn_to_ascii(&t, SLICE("m\xc3\xbcnchen.test")));
    assert_int_equal(t.n, 0);
    t = text_in(area, sizeof area);
    assert_false(idn_to_ascii(&t, (struct slice){ "\xc3\xbc\0x", 4 }));
    for (size_t i = 0; i + 1 < sizeof longer; i += 2)
        memcpy(longer + i, "\xc3\xbc", 2);
    assert_false(idn_to_ascii(&t, (struct slice){ longer, sizeof longer }));
    assert_false(idn_to_ascii(&t, (struct slice){ longer, 200 })); /* one label */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(lengths_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
