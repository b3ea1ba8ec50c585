/* Credentials of the scheme Basic: one spelling of a pair of words, and no other is taken. */
#include "tests/unit/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/basic.h"

static char area[BASIC_DECODED_MOST];

static bool reads(const char *value, const char *name, const char *password)
{
    struct slice n, p;
    return basic_read(slice_of(value), area, &n, &p) && slice_is(n, name) && slice_is(p, password);
}

static void pairs(void **state)
{
    (void)state;
    assert_true(reads("Basic YW5uOnNlc2Ft", "ann", "sesam"));
    assert_true(reads("bASIC   YW5uOnNlc2Ft ", "ann", "sesam"));
    assert_true(reads("Basic YTo=", "a", ""));
    assert_true(reads("Basic YTpi", "a", "b"));
    assert_true(reads("Basic YTpiOmM6", "a", "b:c:"));
    assert_true(reads("Basic dcOpOsOp", "u\303\251", "\303\251"));
    assert_true(reads("Basic YTo+Pz8/", "a", ">???"));
}

static void no_pairs(void **state)
{
    static const char *const no[] = {
        "",
        "Basic",
        "Basic ",
        "Basic  ",
        "BasicYTpi",
        "Basi YTpi",
        "Digest YTpi",
        "Basic YTp",
        "Basic YTpi=",
        "Basic YTo",
        "Basic YTo==",
        "Basic YT==",
        "Basic ====",
        "Basic YTpi YTpi",
        "Basic YTp_",
        "Basic YTp\n",
        "Basic Y=pi",
        "Basic YTp=",     /* bits behind the end */
        "Basic YWI=",     /* no colon */
        "Basic OmI=",     /* no name */
        "Basic YQBiOmI=", /* a NUL */
        "Basic YQpiOmI=", /* a line feed */
    };
    struct slice n, p;
    (void)state;
    for (unsigned i = 0; i < sizeof no / sizeof *no; i++)
        if (basic_read(slice_of(no[i]), area, &n, &p))
            fail_msg("%s is taken", no[i]);
}

static void bounds(void **state)
{
    char value[6 + BASIC_ENCODED_MOST + 8] = "Basic ";
    struct slice n, p;
    (void)state;
    /* "a:" and then "aa…", in whole groups. */
    for (size_t i = 6; i < sizeof value; i += 4)
        memcpy(value + i, i == 6 ? "YTph" : "YWFh", 4);
    size_t whole = BASIC_DECODED_MOST / 3 * 4;
    assert_true(basic_read((struct slice){ value, 6 + whole }, area, &n, &p));
    assert_int_equal(n.n + 1 + p.n, BASIC_DECODED_MOST / 3 * 3);
    assert_false(basic_read((struct slice){ value, 6 + whole + 4 }, area, &n, &p));
    /* A name of more than 255 bytes. */
    char *longer = value + 6;
    memcpy(longer, "YWFh", 4);
    memcpy(longer + 4 * 85, "YTph", 4);
    assert_false(basic_read((struct slice){ value, 6 + 4 * 90 }, area, &n, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(no_pairs),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests_name("policy/basic", tests, NULL, NULL);
}
