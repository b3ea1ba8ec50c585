/* date_read: the three formats, each bound, and the way back of date_text. */
#include "http/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/types.h"

enum { NOW_2026 = 1795000000 };

static void good(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        time_t want;
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
        { "Sun Nov  6 08:49:37 1994", 784111777 },
        { "Sun Nov 06 08:49:37 1994", 784111777 },
        { "Sun Nov 16 08:49:37 1994", 784975777 },
        { "SUN, 06 nov 1994 08:49:37 gmt", 784111777 },
        { "Mon, 06 Nov 1994 08:49:37 GMT", 784111777 }, /* the name of the day says nothing */
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
        { "Sat, 01 Jan 0000 00:00:00 GMT", -62167219200 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
        { "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 },
        { "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
        { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
        /* 18,262 days from 2026-11-18 11:06:40 on, and one second more */
        { "Monday, 16-Nov-76 00:00:00 GMT", 3372710400 },
        { "Tuesday, 17-Nov-76 11:06:40 GMT", 3372836800 },
        { "Tuesday, 17-Nov-76 11:06:41 GMT", 217076801 },
        { "Tuesday, 22-Dec-76 00:00:00 GMT", 220060800 },
        { "Thursday, 01-Jan-70 00:00:00 GMT", 3155760000 },
        { "Friday, 01-Jan-77 00:00:00 GMT", 220924800 },
        { "Saturday, 29-Feb-00 00:00:00 GMT", 951782400 },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        time_t t = 1;
        if (!date_read(slice_of(rows[i].text), NOW_2026, &t))
            fail_msg("not read: %s", rows[i].text);
        if (t != rows[i].want)
            fail_msg("%s: %lld", rows[i].text, (long long)t);
    }
}

static void bad(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "0",
        "-1",
        "Sun",
        "Sun,",
        "now",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 19994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 32 Jan 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nob 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 23:60:00 GMT",
        "Sun, 06 Nov 1994 23:59:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Mondays, 06-Nov-94 08:49:37 GMT",
        "Sunday, 31-Apr-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov  0 08:49:37 1994",
    };
    for (size_t i = 0; i < countof(rows); i++) {
        time_t t = 1;
        if (date_read(slice_of(rows[i]), NOW_2026, &t) || t != 1)
            fail_msg("read: %s", rows[i]);
    }
}

/* Whatever date_text writes is read back, over ten thousand years. */
static void way_back(void **state)
{
    (void)state;
    for (time_t t = -62167219200; t <= 253402300799; t += 9876543) {
        char text[DATE_TEXT];
        time_t again;
        date_text(text, t);
        assert_true(date_read((struct slice){ text, sizeof text }, NOW_2026, &again));
        assert_int_equal(again, t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad),
                                        cmocka_unit_test(way_back) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
