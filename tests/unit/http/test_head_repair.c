/* Each form of answer that is repaired: what is read, what is counted, what is sent, however it
 * arrives; and that the same in a request is refused. */
#include "http/h1_write.h"
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct head_limits limits = { 8192, 2048, 50 };

#define OK "HTTP/1.1 200 OK\r\n"
#define BIT(r) (1u << REPAIR_##r)

struct repair_case {
    const char *raw;
    enum method method;
    unsigned repairs;
    enum body_kind body;
    u64 length;
    const char *sent;       /* fields of the head that goes out, framing included */
    bool may_be_of_request; /* the form means nothing, or something right, in a request */
};

static const struct repair_case cases[] = {
    /* line ends */
    { "HTTP/1.1 200 OK\nA: b\nContent-Length: 4\n\n", METHOD_GET, BIT(line_end), BODY_LENGTH, 4,
      "A: b\r\nContent-Length: 4\r\n", false },
    { OK "A: b\nC: d\r\n\r\n", METHOD_GET, BIT(line_end), BODY_UNTIL_CLOSE, 0, "A: b\r\nC: d\r\n",
      false },
    { OK "A: b\r\n\n", METHOD_GET, BIT(line_end), BODY_UNTIL_CLOSE, 0, "A: b\r\n", false },
    { "HTTP/1.1 200 OK\n\n", METHOD_GET, BIT(line_end), BODY_UNTIL_CLOSE, 0, "", false },
    { "HTTP/1.1 200\n\r\n", METHOD_GET, BIT(line_end), BODY_UNTIL_CLOSE, 0, "", false },
    /* folded lines */
    { OK "A: b\r\n c\r\n\r\n", METHOD_GET, BIT(folding), BODY_UNTIL_CLOSE, 0, "A: b c\r\n", false },
    { OK "A: b \t\r\n\t  c: d \r\n e\r\nF: g\r\n\r\n", METHOD_GET, BIT(folding), BODY_UNTIL_CLOSE,
      0, "A: b c: d e\r\nF: g\r\n", false },
    { OK "A:\r\n b\r\n\r\n", METHOD_GET, BIT(folding), BODY_UNTIL_CLOSE, 0, "A: b\r\n", false },
    { OK "Transfer-Encoding:\r\n chunked\r\n\r\n", METHOD_GET, BIT(folding), BODY_STREAMED, 0,
      "Transfer-Encoding: chunked\r\n", false },
    { OK "A: b\n c\n\n", METHOD_GET, BIT(folding) | BIT(line_end), BODY_UNTIL_CLOSE, 0,
      "A: b c\r\n", false },
    /* blanks before a colon */
    { OK "A : b\r\nC\t :d\r\n\r\n", METHOD_GET, BIT(blank_before_colon), BODY_UNTIL_CLOSE, 0,
      "A: b\r\nC: d\r\n", false },
    { OK "Content-Length : 4\r\n\r\n", METHOD_GET, BIT(blank_before_colon), BODY_LENGTH, 4,
      "Content-Length: 4\r\n", false },
    /* controls */
    { OK "A: \x01 b\x7f\r\nC: d\r\n\r\n", METHOD_GET, BIT(control_byte), BODY_UNTIL_CLOSE, 0,
      "A: \x01 b\x7f\r\nC: d\r\n", false },
    { OK "A: b\r\n \x1b\r\nC: d\r\n\r\n", METHOD_GET, BIT(control_byte) | BIT(folding),
      BODY_UNTIL_CLOSE, 0, "A: b \x1b\r\nC: d\r\n", false },
    { OK "A:\x0b"
         "01234567890123456789012345678901234567890123456789012345678901234567890123456789\x0c\r\n"
         "C: d\r\nContent-Length: 7\r\n\r\n",
      METHOD_GET, BIT(control_byte), BODY_LENGTH, 7,
      "A: \x0b"
      "01234567890123456789012345678901234567890123456789012345678901234567890123456789\x0c\r\n"
      "C: d\r\nContent-Length: 7\r\n",
      false },
    { "HTTP/1.1 200 O\x01K\r\n\r\n", METHOD_GET, BIT(control_byte), BODY_UNTIL_CLOSE, 0, "", true },
    /* the status line */
    { "HTTP/1.1 \t200 OK\r\n\r\n", METHOD_GET, BIT(status_line_blanks), BODY_UNTIL_CLOSE, 0, "",
      true },
    { "HTTP/1.1\t200\tOK\r\n\r\n", METHOD_GET, BIT(status_line_blanks), BODY_UNTIL_CLOSE, 0, "",
      true },
    /* no body */
    { "HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\n", METHOD_GET, BIT(bodiless_framing), BODY_NONE,
      0, "", true },
    { "HTTP/1.1 204 No\r\nContent-Length: 4294967296\r\n\r\n", METHOD_GET, BIT(bodiless_framing),
      BODY_NONE, 0, "", true },
    { "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_GET, BIT(bodiless_framing),
      BODY_NONE, 0, "", true },
    { "HTTP/1.1 103 Early\r\nContent-Length: 4\r\n\r\n", METHOD_GET, BIT(bodiless_framing),
      BODY_NONE, 0, "", true },
    { "HTTP/1.1 304 Not\r\nTransfer-Encoding: gzip\r\n\r\n", METHOD_GET, BIT(bodiless_framing),
      BODY_NONE, 0, "", false },
    { "HTTP/1.1 304 Not\r\nContent-Length: 4, 5\r\n\r\n", METHOD_GET, BIT(bodiless_framing),
      BODY_NONE, 0, "", false },
    { OK "Transfer-Encoding: identity\r\n\r\n", METHOD_HEAD, BIT(bodiless_framing), BODY_NONE, 0,
      "", false },
    { OK "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_HEAD,
      BIT(bodiless_framing), BODY_NONE, 0, "", false },
    { OK "Content-Length: x\r\n\r\n", METHOD_HEAD, BIT(bodiless_framing), BODY_NONE, 0, "", false },
    { OK "Content-Length: 05, 5\r\n\r\n", METHOD_HEAD, BIT(equal_lengths), BODY_NONE, 5,
      "Content-Length: 5\r\n", false },
    /* lengths and codings */
    { OK "Content-Length: 4\r\nA: b\r\nContent-Length: 4\r\n\r\n", METHOD_GET, BIT(equal_lengths),
      BODY_LENGTH, 4, "Content-Length: 4\r\nA: b\r\n", false },
    { OK "Content-Length: 4, 4\r\n\r\n", METHOD_GET, BIT(equal_lengths), BODY_LENGTH, 4,
      "Content-Length: 4\r\n", false },
    { OK "Content-Length: 4,4,04\r\nContent-Length: 4\r\n\r\n", METHOD_GET, BIT(equal_lengths),
      BODY_LENGTH, 4, "Content-Length: 4\r\n", false },
    { OK "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_GET, BIT(both_lengths),
      BODY_STREAMED, 0, "Transfer-Encoding: chunked\r\n", false },
    { OK "Transfer-Encoding: chunked\r\nContent-Length: 4, 5\r\n\r\n", METHOD_GET,
      BIT(both_lengths), BODY_STREAMED, 0, "Transfer-Encoding: chunked\r\n", false },
    { OK "Transfer-Encoding: identity\r\n\r\n", METHOD_GET, BIT(identity_coding), BODY_UNTIL_CLOSE,
      0, "", false },
};

static u32 find_end(const char *p, u32 n, u32 piece)
{
    struct head_scan s = { 0, 0 };
    enum fault fault = FAULT_NONE;
    for (u32 have = 0; have < n;) {
        have = piece < n - have ? have + piece : n;
        char *exact = malloc(have);
        memcpy(exact, p, have);
        u32 end = head_scan_answer(&s, exact, have, &limits, true, &fault);
        free(exact);
        if (fault)
            fail_msg("%s in: %s", fault_info(fault)->token, p);
        if (end)
            return end;
    }
    return 0;
}

static void check_sent(const struct msg *m, const char *want)
{
    char area[1024];
    struct text t = text_in(area, sizeof area);
    h1_write_fields(&t, m);
    if (t.n != strlen(want) || memcmp(area, want, t.n) != 0)
        fail_msg("sent: %.*s wanted: %s", (int)t.n, area, want);
}

static void what_is_repaired(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        const struct repair_case *c = &cases[i];
        u32 n = (u32)strlen(c->raw);
        char with_body[600];
        snprintf(with_body, sizeof with_body, "%sBODY\n\n", c->raw);
        for (u32 piece = 1; piece < 200; piece += piece < 70 ? 1 : 129)
            assert_int_equal(find_end(with_body, n + 6, piece), n);
        struct arena arena;
        struct msg m;
        arena_init(&arena, 0);
        msg_init(&m, &arena);
        assert_int_equal(response_parse(&m, c->raw, n, &limits, c->method), FAULT_NONE);
        if (m.repairs != c->repairs)
            fail_msg("repairs %x, wanted %x in: %s", m.repairs, c->repairs, c->raw);
        assert_false(m.keep_alive);
        assert_int_equal(m.wire_len, n);
        assert_int_equal(m.body, c->body);
        assert_int_equal(m.body_len, c->length);
        check_sent(&m, c->sent);
        arena_free(&arena);
    }
}

/* The same fields behind a request line that ends as the status line did. */
static void requests_are_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        if (cases[i].may_be_of_request)
            continue;
        char head[600];
        const char *lf = strchr(cases[i].raw, '\n');
        bool cr = lf[-1] == '\r';
        int n =
            snprintf(head, sizeof head, "POST / HTTP/1.1%s\nHost: a\r\n%s", cr ? "\r" : "", lf + 1);
        struct head_scan s = { 0, 0 };
        enum fault scanned;
        u32 end = head_scan(&s, head, (u32)n, &limits, &scanned);
        assert_true(scanned || end == (u32)n);
        struct arena arena;
        struct msg m;
        arena_init(&arena, 0);
        msg_init(&m, &arena);
        if (request_parse(&m, head, (u32)n, &limits) == FAULT_NONE)
            fail_msg("taken: %s", head);
        assert_int_equal(m.repairs, 0);
        arena_free(&arena);
    }
}

static void what_needs_no_repair(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        enum method method;
    } good[] = {
        { OK "Content-Length: 4\r\n\r\n", METHOD_GET },
        { OK "Content-Length: 4\r\n\r\n", METHOD_HEAD },
        { OK "Transfer-Encoding: chunked\r\n\r\n", METHOD_HEAD },
        { "HTTP/1.1 304 Not\r\nContent-Length: 4\r\n\r\n", METHOD_GET },
        { "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", METHOD_GET },
        { "HTTP/1.1 200\r\nContent-Length: 4\r\n\r\n", METHOD_GET },
        { OK "A: \xff\xe9\t x\r\nContent-Length: 4\r\n\r\n", METHOD_GET },
    };
    for (size_t i = 0; i < countof(good); i++) {
        struct msg m;
        u32 n = (u32)strlen(good[i].raw);
        msg_init(&m, NULL);
        assert_int_equal(response_parse(&m, good[i].raw, n, &limits, good[i].method), FAULT_NONE);
        assert_int_equal(m.repairs, 0);
        assert_true(m.keep_alive);
        assert_int_equal(m.wire_len, n);
    }
}

/* What has two readings is refused at its first byte, and so is what is no HTTP at all. */
static void scan_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        u32 n;
        bool status_line;
        enum fault want;
    } bad[] = {
        { "HTTP/1.1 200 OK\rX", 17, true, FAULT_bad_line_end },
        { "HTTP/1.1 200 OK\nA: b\r\r\n", 23, true, FAULT_bad_line_end },
        { "HTTP/1.1 200 OK\nA: \0", 20, true, FAULT_bad_field_value },
        { "HTTP/1.1 200 \x01\0", 15, true, FAULT_bad_field_value },
        { "\x15\x03\x01", 3, true, FAULT_bad_request_line },
        { "SSH-2.0-x\n", 10, true, FAULT_bad_line_end },
        { "\nHTTP/1.1 200 OK\n", 17, true, FAULT_bad_line_end },
        { "A: b\nC: \0", 9, false, FAULT_bad_field_value },
        { "A: b\nC: d\re", 11, false, FAULT_bad_line_end },
    };
    for (size_t i = 0; i < countof(bad); i++)
        for (u32 have = bad[i].n; have + 1 >= bad[i].n; have--) {
            struct head_scan s = { 0, 0 };
            enum fault f;
            assert_int_equal(head_scan_answer(&s, bad[i].p, have, &limits, bad[i].status_line, &f),
                             0);
            if (have == bad[i].n)
                assert_int_equal(f, bad[i].want);
        }
    char many[9000] = "HTTP/1.1 200 OK\n";
    enum fault f;
    struct head_scan s = { 0, 0 };
    memset(many + 16, 'a', sizeof many - 16);
    assert_int_equal(head_scan_answer(&s, many, 3000, &limits, true, &f), 0);
    assert_int_equal(f, FAULT_head_too_large); /* of a line */
    for (size_t i = 40; i < sizeof many; i += 40)
        many[i] = '\n';
    s = (struct head_scan){ 0, 0 };
    assert_int_equal(head_scan_answer(&s, many, sizeof many, &limits, true, &f), 0);
    assert_int_equal(f, FAULT_head_too_large); /* of the head */
}

/* A line is as long as it came, even if less of it is sent. */
static void long_lines(void **state)
{
    (void)state;
    char head[2300] = "HTTP/1.1 200 \x01";
    for (size_t n = limits.line - 1; n <= limits.line + 1; n++) {
        memset(head + 14, 'a', n - 14);
        strcpy(head + n, "\r\n\r\n");
        struct arena arena;
        struct msg m;
        arena_init(&arena, 0);
        msg_init(&m, &arena);
        enum fault f = response_parse(&m, head, (u32)n + 4, &limits, METHOD_GET);
        assert_int_equal(f == FAULT_NONE, n <= limits.line);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_repaired),     cmocka_unit_test(requests_are_not),
        cmocka_unit_test(what_needs_no_repair), cmocka_unit_test(scan_refusals),
        cmocka_unit_test(long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
