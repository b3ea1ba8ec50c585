/* What each log lost, by its name; names are never forgotten and never too many. */
#include "core/report/log_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void by_name(void **state)
{
    (void)state;
    struct log_counts *a = log_counts_of("a.log"), *b = log_counts_of("b.log");
    assert_true(a != b && log_counts_of("a.log") == a);
    char name[400];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    memcpy(name + sizeof name - 6, "y.log", 5);
    assert_string_equal(log_counts_of(name)->name + strlen(log_counts_of(name)->name) - 6,
                        "xy.log");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "/log/%d", i);
        log_counts_of(name);
    }
    assert_string_equal(log_counts_of("one more")->name, "others");
    assert_true(log_counts_of("a.log") == a);
    unsigned n = 0;
    while (log_counts_at(n))
        n++;
    assert_int_equal(n, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(by_name) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
