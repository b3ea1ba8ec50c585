/* ASCII helpers and slices, at their borders. */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void classes_are_ascii_only(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool upper = i >= 'A' && i <= 'Z', lower = i >= 'a' && i <= 'z',
             digit = i >= '0' && i <= '9';
        assert_int_equal(ascii_lower(c), upper ? (char)(i + 32) : c);
        assert_int_equal(ascii_digit(c), digit);
        assert_int_equal(ascii_alpha(c), upper || lower);
        assert_int_equal(ascii_alnum(c), upper || lower || digit);
        int hex = digit                  ? i - '0'
                  : i >= 'a' && i <= 'f' ? i - 'a' + 10
                  : i >= 'A' && i <= 'F' ? i - 'A' + 10
                                         : -1;
        assert_int_equal(ascii_hex(c), hex);
    }
}

static void numbers(void **state)
{
    (void)state;
    u64 v = 77;
    static const char *bad[] = { "",
                                 "-1",
                                 "+1",
                                 " 1",
                                 "1 ",
                                 "0x1",
                                 "1a",
                                 "18446744073709551616",
                                 "99999999999999999999999",
                                 "1\n" };
    for (unsigned i = 0; i < countof(bad); i++) {
        assert_false(slice_u64(slice_of(bad[i]), &v));
        assert_int_equal(v, 77);
    }
    assert_false(slice_u64(SLICE("1\0"), &v));
    assert_true(slice_u64(SLICE("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_true(slice_u64(SLICE("000000000000000000000000000042"), &v));
    assert_int_equal(v, 42);
}

static void slices(void **state)
{
    (void)state;
    struct slice none = { NULL, 0 };
    assert_true(slice_eq(none, SLICE("")));
    assert_true(slice_is(none, ""));
    assert_true(slice_is(none, NULL));
    assert_true(slice_starts(SLICE("abc"), none));
    assert_true(slice_ends(SLICE("abc"), SLICE("bc")));
    assert_false(slice_ends(SLICE("bc"), SLICE("abc")));
    assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
    assert_null(slice_find(none, 'a'));
    assert_true(slice_eq_nocase(SLICE("ExAmPlE"), SLICE("eXaMpLe")));
    assert_false(slice_eq_nocase(SLICE("@["), SLICE("`{"))); /* 32 apart, no letters */
    assert_true(slice_is(slice_trim(SLICE(" \t a b\t ")), "a b"));
    assert_int_equal(slice_trim(SLICE(" \t ")).n, 0);
    assert_int_equal(slice_trim(none).n, 0);
}

static void cutting(void **state)
{
    (void)state;
    static const char *want[] = { "a", "", "bc", "" };
    struct slice rest = SLICE("a,,bc,"), piece;
    for (unsigned i = 0; i < countof(want); i++) {
        assert_true(slice_cut(&rest, ',', &piece));
        assert_true(slice_is(piece, want[i]));
    }
    assert_false(slice_cut(&rest, ',', &piece));
    rest = SLICE("");
    assert_true(slice_cut(&rest, ',', &piece));
    assert_int_equal(piece.n, 0);
    assert_false(slice_cut(&rest, ',', &piece));
}

static void utf8(void **state)
{
    (void)state;
    static const char *good[] = { "",
                                  "ascii",
                                  "\xc2\x80",
                                  "\xdf\xbf",
                                  "\xe0\xa0\x80",
                                  "\xed\x9f\xbf",
                                  "\xee\x80\x80",
                                  "\xef\xbf\xbf",
                                  "\xf0\x90\x80\x80",
                                  "\xf4\x8f\xbf\xbf" };
    static const char *bad[] = { "\x80",
                                 "\xc0\x80",
                                 "\xc1\xbf",
                                 "\xc2",
                                 "\xe0\x9f\xbf",
                                 "\xed\xa0\x80",
                                 "\xe1\x80",
                                 "\xf0\x8f\xbf\xbf",
                                 "\xf4\x90\x80\x80",
                                 "\xf5\x80\x80\x80",
                                 "\xff",
                                 "\xc2\x41",
                                 "\xf0\x90\x80" };
    for (unsigned i = 0; i < countof(good); i++)
        assert_true(utf8_valid(slice_of(good[i]), NULL));
    for (unsigned i = 0; i < countof(bad); i++) {
        size_t at = 99;
        assert_false(utf8_valid(slice_of(bad[i]), &at));
        assert_int_equal(at, 0);
    }
    static const struct {
        const char *text;
        u32 point;
        size_t n;
    } first[] = { { "a", 'a', 1 },
                  { "\xc2\x9bx", 0x9b, 2 },
                  { "\xe2\x82\xac", 0x20ac, 3 },
                  { "\xf4\x8f\xbf\xbf", 0x10ffff, 4 } };
    for (unsigned i = 0; i < countof(first); i++) {
        u32 point;
        assert_int_equal(utf8_first(slice_of(first[i].text), &point), first[i].n);
        assert_int_equal(point, first[i].point);
    }
    size_t at = 0;
    assert_false(utf8_valid(SLICE("ok\xc3\xa9\xff"), &at));
    assert_int_equal(at, 4);
}

static void distance(void **state)
{
    (void)state;
    assert_int_equal(str_distance(SLICE("kitten"), SLICE("sitting"), 5), 3);
    assert_int_equal(str_distance(SLICE("same"), SLICE("SAME"), 5), 0);
    assert_int_equal(str_distance(SLICE("haed"), SLICE("head"), 5), 1);
    assert_int_equal(str_distance(SLICE("rnu"), SLICE("run"), 5), 1);
    assert_int_equal(str_distance(SLICE("ba"), SLICE("AB"), 5), 1);
    assert_int_equal(str_distance(SLICE("badc"), SLICE("abcd"), 5), 2);
    assert_int_equal(str_distance(SLICE("ca"), SLICE("abc"), 5), 3);
    assert_int_equal(str_distance(SLICE(""), SLICE("abc"), 5), 3);
    assert_int_equal(str_distance(SLICE("abc"), SLICE(""), 2), 3);
    assert_int_equal(str_distance(SLICE("abcdef"), SLICE("uvwxyz"), 2), 3);
    char longer[65];
    memset(longer, 'a', sizeof longer);
    assert_int_equal(str_distance((struct slice){ longer, 65 }, SLICE("a"), 2), 3);
    assert_int_equal(str_distance((struct slice){ longer, 64 }, (struct slice){ longer, 64 }, 2),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_ascii_only),
        cmocka_unit_test(numbers),
        cmocka_unit_test(slices),
        cmocka_unit_test(cutting),
        cmocka_unit_test(utf8),
        cmocka_unit_test(distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
