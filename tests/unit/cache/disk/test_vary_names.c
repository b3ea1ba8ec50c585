/* Numbers of `vary`: each text has one, and what stays when others are given up keeps its own. */
#include "cache/disk/vary_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct vary_names v;

static int add(const char *before, u32 n)
{
    char text[32];
    snprintf(text, sizeof text, "%s-%u", before, n);
    int number = vary_names_add(&v, slice_of(text));
    if (number >= 0)
        assert_true(slice_eq(vary_names_text(&v, (u16)number), slice_of(text)));
    return number;
}

static void given_up_and_given_out(void **state)
{
    (void)state;
    bool stay[SEGLOG_NAMES] = { true }, taken[SEGLOG_NAMES] = { true };
    int number[SEGLOG_NAMES];
    vary_names_init(&v);
    assert_int_equal(vary_names_add(&v, SLICE("")), 0);
    for (u32 n = 1; n < SEGLOG_NAMES; n++) {
        number[n] = add("x", n);
        assert_true(number[n] > 0 && number[n] < SEGLOG_NAMES && !taken[number[n]]);
        taken[number[n]] = true;
    }
    assert_true(vary_names_full(&v));
    assert_int_equal(add("one-more", 0), -1);
    for (u32 n = 1; n < SEGLOG_NAMES; n++)
        stay[number[n]] = n % 2;
    vary_names_give_up(&v, stay);
    for (u32 n = 1; n < SEGLOG_NAMES; n += 2)
        assert_int_equal(add("x", n), number[n]);
    for (u32 n = 2; n < SEGLOG_NAMES; n += 2) {
        int anew = add("y", n);
        assert_true(anew > 0 && anew < SEGLOG_NAMES && !stay[anew]);
        stay[anew] = true;
    }
    assert_true(vary_names_full(&v));
    vary_names_end(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(given_up_and_given_out) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
