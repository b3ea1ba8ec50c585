/* Ranges: RFC 9110 section 14. */
#include "cache/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *value;
    u64 length;
    enum ranges want;
    const char *ranges; /* "from-to from-to" */
} range_rows[] = {
    { "bytes=0-499", 1000, RANGES_SOME, "0-499" },
    { "BYTES=0-0", 1000, RANGES_SOME, "0-0" },
    { "bytes=500-", 1000, RANGES_SOME, "500-999" },
    { "bytes=0-", 1000, RANGES_SOME, "0-999" },
    { "bytes=-1", 1000, RANGES_SOME, "999-999" },
    { "bytes=-1000", 1000, RANGES_SOME, "0-999" },
    { "bytes=-99999", 1000, RANGES_SOME, "0-999" },
    { "bytes=900-99999", 1000, RANGES_SOME, "900-999" },
    { "bytes=999-99999999999999999999999", 1000, RANGES_SOME, "999-999" },
    { "bytes=0-18446744073709551615", 1000, RANGES_SOME, "0-999" },
    { "bytes=0-1, 3-4", 10, RANGES_SOME, "0-1 3-4" },
    { "bytes=, 0-1 ,\t,3-4,", 10, RANGES_SOME, "0-1 3-4" },
    { "bytes=8-9,0-1", 10, RANGES_SOME, "8-9 0-1" }, /* in the order asked for */
    /* overlapping and adjoining ones */
    { "bytes=0-5,3-7", 10, RANGES_SOME, "0-7" },
    { "bytes=3-7,0-5", 10, RANGES_SOME, "0-7" },
    { "bytes=0-1,2-3", 10, RANGES_SOME, "0-3" },
    { "bytes=2-3,0-1", 10, RANGES_SOME, "0-3" },
    { "bytes=0-1,4-5,2-3", 10, RANGES_SOME, "0-5" },
    { "bytes=8-9,4-5,0-1,2-3", 10, RANGES_SOME, "8-9 0-5" },
    { "bytes=4-5,8-9,0-1,3-7", 10, RANGES_SOME, "3-9 0-1" },
    { "bytes=0-9,0-9,0-9", 10, RANGES_SOME, "0-9" },
    { "bytes=0-1,5-5,-10", 10, RANGES_SOME, "0-9" },
    { "bytes=0-0,-1", 10, RANGES_SOME, "0-0 9-9" },
    /* what lies outside is left out, and all of it 416 */
    { "bytes=0-1,10-20", 10, RANGES_SOME, "0-1" },
    { "bytes=10-", 10, RANGES_NONE, "" },
    { "bytes=10-20,30-40", 10, RANGES_NONE, "" },
    { "bytes=-0", 10, RANGES_NONE, "" },
    { "bytes=99999999999999999999999-", 10, RANGES_NONE, "" },
    { "bytes=0-", 0, RANGES_NONE, "" },
    { "bytes=-5", 0, RANGES_WHOLE, "" },
    { "bytes=-0", 0, RANGES_NONE, "" },
    /* what is not understood */
    { "", 10, RANGES_WHOLE, "" },
    { "bytes", 10, RANGES_WHOLE, "" },
    { "bytes=", 10, RANGES_WHOLE, "" },
    { "bytes=,", 10, RANGES_WHOLE, "" },
    { "bytes 0-1", 10, RANGES_WHOLE, "" },
    { "bytes =0-1", 10, RANGES_WHOLE, "" },
    { "items=0-1", 10, RANGES_WHOLE, "" },
    { "bytes=-", 10, RANGES_WHOLE, "" },
    { "bytes=5", 10, RANGES_WHOLE, "" },
    { "bytes=5-3", 10, RANGES_WHOLE, "" },
    { "bytes=50-30", 10, RANGES_WHOLE, "" },
    { "bytes=0-1,x", 10, RANGES_WHOLE, "" },
    { "bytes=0-1;2-3", 10, RANGES_WHOLE, "" },
    { "bytes=0 - 1", 10, RANGES_WHOLE, "" },
    { "bytes=--1", 10, RANGES_WHOLE, "" },
    { "bytes=0-1-2", 10, RANGES_WHOLE, "" },
    { "bytes=+0-1", 10, RANGES_WHOLE, "" },
    { "bytes=0x0-1", 10, RANGES_WHOLE, "" },
    /* sixteen, and one more */
    { "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,"
      "30-30",
      99, RANGES_SOME,
      "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 26-26 28-28 30-30" },
    { "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", 99, RANGES_WHOLE, "" },
};

static void reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(range_rows); i++) {
        struct byte_range r[RANGES_MOST];
        unsigned n;
        char area[256];
        struct text got = text_in(area, sizeof area - 1);
        enum ranges kind = ranges_read(slice_of(range_rows[i].value), range_rows[i].length, r, &n);
        for (unsigned k = 0; k < n; k++)
            text_fmt(&got, "%s%llu-%llu", k ? " " : "", (unsigned long long)r[k].from,
                     (unsigned long long)r[k].to);
        area[got.n] = '\0';
        if (kind != range_rows[i].want || strcmp(area, range_rows[i].ranges) != 0)
            fail_msg("%s of %llu: %d, %s", range_rows[i].value,
                     (unsigned long long)range_rows[i].length, kind, area);
    }
}

static void whole(struct text *t, struct slice type, const struct byte_range *r, unsigned n)
{
    for (unsigned i = 0; i <= n; i++) {
        ranges_part(t, "0123456789abcdef", type, r, n, i, 1000);
        for (u64 k = 0; i < n && k < r[i].to - r[i].from + 1; k++)
            text_char(t, 'x');
    }
}

static void writing(void **state)
{
    (void)state;
    static const struct byte_range r[] = { { 0, 1 }, { 998, 999 } };
    char area[1000];
    struct text t = text_in(area, sizeof area);
    range_write(&t, &r[1], 1000);
    text_char(&t, ' ');
    range_write(&t, NULL, 1000);
    assert_true(slice_is(text_slice(&t), "bytes 998-999/1000 bytes */1000"));

    t = text_in(area, sizeof area);
    whole(&t, SLICE("a/b"), r, 2);
    assert_true(slice_is(text_slice(&t), "--0123456789abcdef\r\nContent-Type: a/b\r\n"
                                         "Content-Range: bytes 0-1/1000\r\n\r\nxx\r\n"
                                         "--0123456789abcdef\r\nContent-Type: a/b\r\n"
                                         "Content-Range: bytes 998-999/1000\r\n\r\nxx\r\n"
                                         "--0123456789abcdef--\r\n"));
    assert_int_equal(ranges_length(SLICE("a/b"), r, 2, 1000), t.n);
    assert_int_equal(ranges_sum(r, 2), 4);
    t = text_in(area, sizeof area);
    whole(&t, (struct slice){ NULL, 0 }, r, 2);
    assert_int_equal(ranges_length((struct slice){ NULL, 0 }, r, 2, 1000), t.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(reading), cmocka_unit_test(writing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
