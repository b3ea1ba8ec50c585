/* date_text against the C library. */
#include "http/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void check(time_t t)
{
    char got[DATE_TEXT], want[64];
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    date_text(got, t);
    assert_memory_equal(got, want, DATE_TEXT);
}

static void known(void **state)
{
    (void)state;
    char got[DATE_TEXT];
    date_text(got, 784111777);
    assert_memory_equal(got, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_TEXT);
    date_text(got, 0);
    assert_memory_equal(got, "Thu, 01 Jan 1970 00:00:00 GMT", DATE_TEXT);
    date_text(got, -1);
    assert_memory_equal(got, "Wed, 31 Dec 1969 23:59:59 GMT", DATE_TEXT);
    date_text(got, INT64_MAX);
    assert_memory_equal(got, "Fri, 31 Dec 9999 23:59:59 GMT", DATE_TEXT);
    date_text(got, INT64_MIN);
    assert_memory_equal(got, "Sat, 01 Jan 0000 00:00:00 GMT", DATE_TEXT);
}

/* Every day from 1600 to 2500, at a different second each. */
static void every_day(void **state)
{
    (void)state;
    for (time_t day = -135140; day < 193700; day++)
        check(day * 86400 + (day & 0xffff) % 86400);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known), cmocka_unit_test(every_day) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
