/* The end of a head, early faults, and the same verdict however the bytes arrive. */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static const struct head_limits wide = { 65536, 4096, 100 };

/* Feeds p in pieces: all at once for step 0, `step` bytes each, or random ones for step UINT32_MAX.
 * Each call gets a block of exactly the bytes so far, so that reading on would be noticed. */
static u32 feed(const char *p, u32 n, u32 piece, const struct head_limits *limits,
                enum fault *fault)
{
    struct head_scan s = { 0, 0 };
    for (u32 have = 0;;) {
        u32 more = piece == 0 ? n : piece == UINT32_MAX ? 1 + (u32)rand() % 90 : piece;
        have = more < n - have ? have + more : n;
        char *exact = malloc(have ? have : 1);
        if (have)
            memcpy(exact, p, have);
        u32 end = head_scan(&s, exact, have, limits, fault);
        free(exact);
        if (end || *fault || have == n)
            return end;
    }
}

static void check(const char *p, u32 n, u32 want, enum fault want_fault,
                  const struct head_limits *limits)
{
    enum fault fault;
    static const u32 pieces[] = { 0, 1, 2, 3, 7, 16, 63, 64, 65, UINT32_MAX, UINT32_MAX };
    for (size_t i = 0; i < countof(pieces); i++) {
        u32 end = feed(p, n, pieces[i], limits, &fault);
        if (end != want || fault != want_fault)
            fail_msg("piece %u: end %u, wanted %u; fault %s, wanted %s in: %.*s", pieces[i], end,
                     want, fault_info(fault)->token, fault_info(want_fault)->token, (int)n, p);
    }
}

#define HEAD "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void ends(void **state)
{
    (void)state;
    check("", 0, 0, FAULT_NONE, &wide);
    check("\r\n", 2, 2, FAULT_NONE, &wide);
    check("\r\nmore", 6, 2, FAULT_NONE, &wide);
    for (u32 cut = 0; cut < sizeof HEAD - 1; cut++)
        check(HEAD, cut, 0, FAULT_NONE, &wide);
    check(HEAD, sizeof HEAD - 1, sizeof HEAD - 1, FAULT_NONE, &wide);
    check(HEAD HEAD, 2 * (sizeof HEAD - 1), sizeof HEAD - 1, FAULT_NONE, &wide);
    /* a binary body behind the head is not looked at */
    check(HEAD "\0\n\r\x7f body", sizeof HEAD - 1 + 9, sizeof HEAD - 1, FAULT_NONE, &wide);
}

/* The head ends at every place of the 64-byte steps, with and without bytes behind it. */
static void ends_at_any_offset(void **state)
{
    (void)state;
    for (u32 pad = 0; pad < 200; pad++)
        for (u32 behind = 0; behind < 3; behind++) {
            char head[400];
            struct text t = text_in(head, sizeof head);
            text_lit(&t, "GET / HTTP/1.1\r\nA: ");
            for (u32 i = 0; i < pad; i++)
                text_char(&t, i % 40 == 39 ? '\t' : (char)(0x80 + i % 100));
            text_lit(&t, "\r\nB: c\r\n\r\n");
            u32 want = (u32)t.n;
            text_put(&t, "\0\n", behind);
            check(head, (u32)t.n, want, FAULT_NONE, &wide);
        }
}

/* A bad byte at any place of a head is found, wherever it stands in a step. */
static void bad_bytes(void **state)
{
    (void)state;
    static const char head[] =
        "GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nAccept: text/html\r\n"
        "Accept-Language: en, de\r\nCookie: abcdefghijklmnopqrstuvwxyz\r\n\r\n";
    static const char bad[] = { 0, 1, 8, 10, 11, 12, 13, 14, 27, 31, 127 };
    u32 n = sizeof head - 1;
    for (u32 at = 0; at < n - 4; at++)
        for (u32 b = 0; b < sizeof bad; b++) {
            char copy[sizeof head];
            memcpy(copy, head, n);
            if (copy[at] == bad[b])
                continue;
            bool in_line_end = copy[at] == '\r' || copy[at] == '\n';
            copy[at] = bad[b];
            bool cr = bad[b] == '\r', lf = bad[b] == '\n';
            enum fault want = at < 38 ? FAULT_bad_request_line : FAULT_bad_field_value;
            if (cr || lf || (in_line_end && head[at] == '\n'))
                want = FAULT_bad_line_end;
            if (cr && head[at + 1] == '\r') /* "\r\r\n" */
                want = FAULT_bad_line_end;
            check(copy, n, 0, want, &wide);
        }
}

static void blanks_for_line_ends(void **state)
{
    (void)state;
    check("GET / HTTP/1.1 \nHost: a\r\n\r\n", 27, 0, FAULT_bad_line_end, &wide);
    check("GET / HTTP/1.1\r\n\nHost: a\r\n\r\n", 28, 0, FAULT_bad_line_end, &wide);
    check("GET / HTTP/1.1\r\r\n\r\n", 19, 0, FAULT_bad_line_end, &wide);
    check("GET / HTTP/1.1\r\n\r\r\n", 19, 0, FAULT_bad_line_end, &wide);
    check("GET / HTTP/1.1\r\n\rx", 18, 0, FAULT_bad_line_end, &wide);
}

/* Limits to the byte: a line of exactly the limit passes, one more does not, and it is refused as
 * soon as the byte over it is there. */
static void limits_hold(void **state)
{
    (void)state;
    static const u32 lines[] = { 5, 20, 63, 64, 65, 100, 128, 300 };
    for (size_t l = 0; l < countof(lines); l++)
        for (u32 over = 0; over < 2; over++) {
            struct head_limits limits = { 4096, lines[l], 100 };
            char head[1200];
            struct text t = text_in(head, sizeof head);
            for (u32 i = 0; i < lines[l] + over; i++)
                text_char(&t, 'x');
            u32 first = (u32)t.n;
            text_lit(&t, "\r\n\r\n");
            check(head, (u32)t.n, over ? 0 : (u32)t.n, over ? FAULT_target_too_long : FAULT_NONE,
                  &limits);
            check(head, first, 0, over ? FAULT_target_too_long : FAULT_NONE, &limits);
            t = text_in(head, sizeof head);
            text_lit(&t, "GET /\r\n");
            for (u32 i = 0; i < lines[l] + over; i++)
                text_char(&t, 'x');
            text_lit(&t, "\r\nA: b\r\n\r\n");
            check(head, (u32)t.n, over ? 0 : (u32)t.n, over ? FAULT_head_too_large : FAULT_NONE,
                  &limits);
        }
    for (u32 head = 1; head < sizeof HEAD + 1; head++) {
        struct head_limits limits = { head, 4096, 100 };
        bool fits = head >= sizeof HEAD - 1;
        check(HEAD, sizeof HEAD - 1, fits ? sizeof HEAD - 1 : 0,
              fits ? FAULT_NONE : FAULT_head_too_large, &limits);
    }
}

/* Random bytes that are nearly heads: every split agrees with the whole. */
static void random_splits_agree(void **state)
{
    (void)state;
    static const char alphabet[] = "\r\n\r\n\r\n\r\nabcdefgh: \t\x80\xff";
    srand(1);
    for (u32 round = 0; round < 20000; round++) {
        char bytes[300];
        u32 n = (u32)rand() % sizeof bytes;
        for (u32 i = 0; i < n; i++) {
            u32 r = (u32)rand();
            if (r % 12 == 0 && i + 1 < n) {
                bytes[i++] = '\r';
                bytes[i] = '\n';
            } else {
                bytes[i] = r % 50 == 1 ? (char)(r >> 8) : alphabet[8 + (r >> 8) % 14];
            }
        }
        struct head_limits limits = { 100 + (u32)rand() % 300, 10 + (u32)rand() % 120, 100 };
        enum fault whole, split;
        u32 end = feed(bytes, n, 0, &limits, &whole);
        for (u32 i = 0; i < 4; i++) {
            assert_int_equal(feed(bytes, n, i < 2 ? i + 1 : UINT32_MAX, &limits, &split), end);
            assert_int_equal(split, whole);
        }
    }
}

/* 32 kB one byte at a time costs what reading it once costs: it would take minutes otherwise. */
static void slow_arrival_is_linear(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    struct head_limits limits = { SIZE + 10, SIZE, 100 };
    struct head_scan s = { 0, 0 };
    enum fault fault;
    char *p = malloc(SIZE + 4);
    memset(p, 'a', SIZE);
    memcpy(p + SIZE, "\r\n\r\n", 4);
    for (u32 n = 1; n < SIZE + 4; n++)
        assert_int_equal(head_scan(&s, p, n, &limits, &fault), 0);
    assert_int_equal(head_scan(&s, p, SIZE + 4, &limits, &fault), SIZE + 4);
    free(p);
}

static void before_the_head(void **state)
{
    (void)state;
    assert_int_equal(head_skip_empty("\r\nGET", 5), 2);
    assert_int_equal(head_skip_empty("\r", 1), 0);
    assert_int_equal(head_skip_empty("\nGET", 4), 0);
    assert_int_equal(first_bytes("GET", 3), FAULT_NONE);
    assert_int_equal(first_bytes("", 0), FAULT_NONE);
    assert_int_equal(first_bytes("\r", 1), FAULT_NONE);
    assert_int_equal(first_bytes("\x16\x03\x01", 3), FAULT_tls_to_plain_port);
    assert_int_equal(first_bytes("\x16", 1), FAULT_tls_to_plain_port);
    assert_int_equal(first_bytes("\x16\x16", 2), FAULT_tls_to_plain_port); /* as in pieces */
    assert_int_equal(first_bytes("\x05\x01", 2), FAULT_not_http);
    assert_int_equal(first_bytes("\x80", 1), FAULT_not_http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(ends_at_any_offset),
        cmocka_unit_test(bad_bytes),
        cmocka_unit_test(blanks_for_line_ends),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(random_splits_agree),
        cmocka_unit_test(slow_arrival_is_linear),
        cmocka_unit_test(before_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
