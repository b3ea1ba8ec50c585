/* The bounded writer: what it writes, and that it never writes past its end. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char area[256];

#define WRITES(call, want)                                                                         \
    do {                                                                                           \
        struct text t = text_in(area, sizeof area);                                                \
        call;                                                                                      \
        assert_false(t.full);                                                                      \
        assert_true(slice_is(text_slice(&t), want));                                               \
    } while (0)

static void numbers(void **state)
{
    (void)state;
    WRITES(text_u64(&t, 0), "0");
    WRITES(text_u64(&t, 10), "10");
    WRITES(text_u64(&t, UINT64_MAX), "18446744073709551615");
    WRITES(text_hex(&t, 0), "0");
    WRITES(text_hex(&t, 0xdeadBEEF), "deadbeef");
    WRITES(text_hex(&t, UINT64_MAX), "ffffffffffffffff");
    WRITES(text_pad(&t, 7, 3), "007");
    WRITES(text_pad(&t, 12345, 3), "345");
    WRITES(text_pad(&t, 5, 0), "");
    WRITES(text_pad(&t, 1, 99), "00000000000000000001");
}

static void json(void **state)
{
    (void)state;
    WRITES(text_json(&t, SLICE("")), "\"\"");
    WRITES(text_json(&t, SLICE("a \"b\" \\ /\t\x7f")), "\"a \\\"b\\\" \\\\ /\\u0009\\u007f\"");
    WRITES(text_json(&t, SLICE("\xc3\xa9\xf0\x9f\x98\x80")), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    WRITES(text_json(&t, SLICE("\xc2\x85\xe2\x80\xae")), "\"\\u0085\\u202e\"");
    WRITES(text_json(&t, SLICE("x\xe2\x80y\xff")), "\"x\xef\xbf\xbd\xef\xbf\xbdy\xef\xbf\xbd\"");
}

static void percent(void **state)
{
    (void)state;
    WRITES(text_percent(&t, SLICE("http://a/b%20?c=[d]|'")), "http://a/b%20?c=[d]|'");
    WRITES(text_percent(&t, SLICE(" \t\n\"<>\\\x7f\xc3\xa9")), "%20%09%0A%22%3C%3E%5C%7F%C3%A9");
}

static void strings(void **state)
{
    (void)state;
    WRITES(text_cstr(&t, "abc"), "abc");
    WRITES(text_cstr(&t, NULL), "");
    WRITES(text_lit(&t, "lit"), "lit");
    WRITES(text_char(&t, 'x'), "x");
    WRITES(text_add(&t, (struct slice){ NULL, 0 }), "");
    WRITES(text_fmt(&t, "%d-%s", 5, "ok"), "5-ok");
}

static void escaped(void **state)
{
    (void)state;
    WRITES(text_escaped(&t, SLICE("plain text!")), "plain text!");
    WRITES(text_escaped(&t, SLICE("\"\\\n\0\x7f\xff")), "\\x22\\x5C\\x0A\\x00\\x7F\\xFF");
    WRITES(text_escaped(&t, SLICE("a\rb")), "a\\x0Db");
}

/* Every call at every capacity: a guard byte stays, `full` tells the truth. */
static const char *shown(const char *words)
{
    struct text t = text_in(area, sizeof area - 1);
    text_escaped_utf8(&t, slice_of(words));
    area[t.n] = 0;
    return area;
}

/* Long runs are looked through in pieces: wherever the odd byte is, it is found. */
static void escaped_anywhere(void **state)
{
    (void)state;
    for (size_t n = 1; n < 50; n++)
        for (size_t at = 0; at < n; at++) {
            char in[50], out[60], want[60];
            memset(in, 'a', n);
            in[at] = '"';
            struct text t = text_in(out, sizeof out), w = text_in(want, sizeof want);
            text_escaped(&t, (struct slice){ in, n });
            text_put(&w, in, at);
            text_lit(&w, "\\x22");
            text_put(&w, in + at + 1, n - at - 1);
            assert_true(slice_eq(text_slice(&t), text_slice(&w)));
        }
}

static void numbers_of_all_lengths(void **state)
{
    (void)state;
    for (u64 power = 1, digits = 1; digits < 20; power *= 10, digits++)
        for (u64 v = power - 1; v <= power + 1; v++) {
            char out[40], want[40];
            struct text t = text_in(out, sizeof out);
            text_u64(&t, v);
            snprintf(want, sizeof want, "%llu", (unsigned long long)v);
            assert_true(slice_is(text_slice(&t), want));
            t.n = 0;
            text_pad(&t, v, 20);
            snprintf(want, sizeof want, "%020llu", (unsigned long long)v);
            assert_true(slice_is(text_slice(&t), want));
        }
}

static void escaped_utf8(void **state)
{
    (void)state;
    assert_string_equal(shown("gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x90\x8c."),
                        "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x90\x8c.");
    assert_string_equal(shown("a\"b\\c\n\x7f"), "a\\x22b\\x5Cc\\x0A\\x7F");
    /* C1, a line separator, marks of direction, no width, a tag */
    assert_string_equal(shown("\xc2\x9b\xe2\x80\xa8"), "\\xC2\\x9B\\xE2\\x80\\xA8");
    assert_string_equal(shown("\xe2\x80\xae\xd8\x9c"), "\\xE2\\x80\\xAE\\xD8\\x9C");
    assert_string_equal(shown("\xef\xbb\xbf"), "\\xEF\\xBB\\xBF");
    assert_string_equal(shown("\xf3\xa0\x80\xa1"), "\\xF3\\xA0\\x80\\xA1");
    /* not well formed: cut off, overlong, a surrogate, a lone byte */
    assert_string_equal(shown("\xe6\x97"), "\\xE6\\x97");
    assert_string_equal(shown("\xc0\xaf\xed\xa0\x80"), "\\xC0\\xAF\\xED\\xA0\\x80");
    assert_string_equal(shown("\xbc\xc3x"), "\\xBC\\xC3x");
}

static void never_past_the_end(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 24; cap++)
        for (unsigned call = 0; call < 7; call++) {
            char small[32];
            memset(small, 0x7e, sizeof small);
            struct text t = text_in(small, cap);
            text_lit(&t, "ab");
            switch (call) {
            case 0: text_u64(&t, UINT64_MAX); break;
            case 1: text_escaped(&t, SLICE("\n\n\n\n\n\n")); break;
            case 2: text_fmt(&t, "%s", "0123456789abcdef"); break;
            case 3: text_pad(&t, 1, 20); break;
            case 4: text_hex(&t, UINT64_MAX); break;
            case 5: text_escaped_utf8(&t, SLICE("\xc3\xbc\n\xc3\xbc\n\n")); break;
            default: text_cstr(&t, "0123456789abcdefghij"); break;
            }
            assert_true(t.n <= cap);
            for (size_t i = cap; i < sizeof small; i++)
                assert_int_equal(small[i], 0x7e);
            if (cap < 16)
                assert_true(t.full);
        }
}

static void full_stays_full(void **state)
{
    (void)state;
    char small[4];
    struct text t = text_in(small, sizeof small);
    text_lit(&t, "abc");
    text_lit(&t, "de"); /* does not fit: nothing of it is written */
    assert_true(t.full);
    text_lit(&t, "f");
    assert_true(slice_is(text_slice(&t), "abcf"));
    assert_true(t.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json),
        cmocka_unit_test(percent),
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(escaped),
        cmocka_unit_test(never_past_the_end),
        cmocka_unit_test(full_stays_full),
        cmocka_unit_test(escaped_utf8),
        cmocka_unit_test(escaped_anywhere),
        cmocka_unit_test(numbers_of_all_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
