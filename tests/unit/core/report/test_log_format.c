/* The readable line, byte for byte: what is shown, what is masked, what is escaped. */
#include "core/report/log_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { AT_S = 1795417200 }; /* 2026-11-23T07:00:00Z */

static char area[LOG_LINE + 1];

struct line {
    const char *text[LOG_STRINGS];
    u16 status;
    enum fault fault;
    u64 total_us;
    const char *client, *server;
};

static const char *format(const struct line *l, u64 wall_us)
{
    static struct log_clock clock;
    static char record[8192];
    struct access_record *r = (void *)record;
    struct text t = text_in(area, LOG_LINE);
    *r = (struct access_record){ .head = { .kind = LOG_ACCESS, .wall_us = wall_us },
                                 .id = 0xab1,
                                 .bytes_in = 78,
                                 .bytes_out = 1256,
                                 .total_us = l->total_us,
                                 .status = l->status,
                                 .fault = (u16)l->fault };
    assert_true(addr_parse_port(slice_of(l->client ? l->client : "127.0.0.1:4000"), &r->client));
    if (l->server)
        assert_true(addr_parse_port(slice_of(l->server), &r->server));
    char *to = (char *)(r + 1);
    for (unsigned i = 0; i < LOG_STRINGS; i++) {
        struct slice s = slice_of(l->text[i]);
        r->head.length[i] = (u16)s.n;
        if (s.n)
            memcpy(to, s.p, s.n);
        to += s.n;
    }
    log_format_access(&t, &clock, r);
    assert_false(t.full);
    area[t.n] = 0;
    return area;
}

static const char *line(struct line l)
{
    return format(&l, AT_S * 1000000ull + 123456);
}

#define BEGIN "2026-11-23T07:00:00.123Z 127.0.0.1 "

static void whole_lines(void **state)
{
    (void)state;
    assert_string_equal(
        line((struct line){ .text = { [STRING_METHOD] = "GET",
                                      [STRING_TARGET] = "http://example.com/x",
                                      [STRING_RULE] = "office",
                                      [STRING_LISTENER] = "egress" },
                            .status = 200,
                            .total_us = 12345,
                            .server = "192.0.2.1:80" }),
        BEGIN "\"GET http://example.com/x\" 200 in=78 out=1256 12.3ms to=192.0.2.1:80 rule=office "
              "id=0000000000000ab1\n");
    assert_string_equal(
        line((struct line){ .text = { [STRING_METHOD] = "GET",
                                      [STRING_TARGET] = "/a",
                                      [STRING_HOST] = "www.example.com",
                                      [STRING_PROTOCOL] = "websocket" },
                            .status = 101,
                            .total_us = 49,
                            .client = "[2001:db8::1]:5000",
                            .server = "[2001:db8::2]:8080" }),
        "2026-11-23T07:00:00.123Z 2001:db8::1 \"GET http://www.example.com/a\" 101 in=78 out=1256 "
        "0.0ms to=[2001:db8::2]:8080 upgrade=websocket id=0000000000000ab1\n");
    assert_string_equal(
        line((struct line){ .text = { [STRING_METHOD] = "CONNECT",
                                      [STRING_TARGET] = "a.test:22",
                                      [STRING_RULE] = "connect-ports",
                                      [STRING_REASON] = "ask the \"desk\"" },
                            .status = 403,
                            .total_us = 999999999999,
                            .fault = FAULT_connect_port_denied }),
        BEGIN "\"CONNECT a.test:22\" 403 in=78 out=1256 999999999.9ms rule=connect-ports "
              "cause=connect_port_denied reason=\"ask the \\x22desk\\x22\" id=0000000000000ab1\n");
}

static void without_a_request(void **state)
{
    (void)state;
    assert_string_equal(line((struct line){ .fault = FAULT_client_closed }),
                        BEGIN "\"-\" - in=78 out=1256 0.0ms cause=client_closed "
                              "id=0000000000000ab1\n");
}

/* Queries may hold secrets. */
static void the_query_is_masked(void **state)
{
    (void)state;
    const char *said = line((struct line){ .text = { [STRING_METHOD] = "GET",
                                                     [STRING_TARGET] = "/p?token=hunter2?x",
                                                     [STRING_HOST] = "a" },
                                           .status = 200 });
    assert_non_null(strstr(said, "\"GET http://a/p?...\" 200"));
    assert_null(strstr(said, "hunter2"));
}

/* One record is one line and its fields stay apart, whatever a client or an administrator wrote. */
static void nothing_forges_a_line(void **state)
{
    (void)state;
    const char *said = line((struct line){ .text = { [STRING_METHOD] = "G\"ET",
                                                     [STRING_TARGET] = "/a\r\nid=1 \x1b[2J\\\xff",
                                                     [STRING_RULE] = "r\nule",
                                                     [STRING_REASON] = "no\n\xc3\xa9\xc2\x85\xff" },
                                           .status = 200 });
    assert_string_equal(said, BEGIN
                        "\"G\\x22ET /a\\x0D\\x0Aid=1 \\x1B[2J\\x5C\\xFF\" 200 in=78 "
                        "out=1256 0.0ms rule=r\\x0Aule reason=\"no\\x0A\xc3\xa9\\xC2\\x85\\xFF\" "
                        "id=0000000000000ab1\n");
}

/* The longest strings that account.c lets through, each byte escaped. */
static void the_longest_line_fits(void **state)
{
    (void)state;
    static char s[2049], method[65], host[257], rule[129], reason[513];
    memset(s, 1, 2048), memset(method, 1, 64), memset(host, 1, 256);
    memset(rule, 1, 128), memset(reason, 1, 512);
    const char *said = line((struct line){ .text = { [STRING_METHOD] = method,
                                                     [STRING_TARGET] = s,
                                                     [STRING_HOST] = host,
                                                     [STRING_RULE] = rule,
                                                     [STRING_REASON] = reason },
                                           .status = 200,
                                           .total_us = UINT64_MAX });
    assert_int_equal(said[strlen(said) - 1], '\n');
}

/* The remembered second is not taken for another one. */
static void time_goes_on(void **state)
{
    (void)state;
    static const struct line l = { .status = 200 };
    assert_memory_equal(format(&l, AT_S * 1000000ull), "2026-11-23T07:00:00.000Z ", 25);
    assert_memory_equal(format(&l, AT_S * 1000000ull + 999999), "2026-11-23T07:00:00.999Z ", 25);
    assert_memory_equal(format(&l, (AT_S + 59) * 1000000ull), "2026-11-23T07:00:59.000Z ", 25);
    assert_memory_equal(format(&l, (AT_S - 1) * 1000000ull), "2026-11-23T06:59:59.000Z ", 25);
    assert_memory_equal(format(&l, 951782400ull * 1000000), "2000-02-29T00:00:00.000Z ", 25);
}

static void error_lines(void **state)
{
    (void)state;
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    struct {
        struct error_record r;
        char text[20];
    } e = { .text = "worse\nthan \x7f" };
    for (u8 level = 0; level < 4; level++) {
        struct log_clock clock = { 0 };
        struct text t = text_in(area, sizeof area - 1);
        char expected[100];
        e.r.head = (struct log_head){
            .kind = LOG_ERROR, .level = level, .length = { 12 }, .wall_us = AT_S * 1000000ull
        };
        log_format_error(&t, &clock, &e.r);
        area[t.n] = 0;
        struct text x = text_in(expected, sizeof expected - 1);
        text_fmt(&x, "2026-11-23T07:00:00.000Z %s: worse\\x0Athan \\x7F\n", levels[level]);
        expected[x.n] = 0;
        assert_string_equal(area, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lines),           cmocka_unit_test(without_a_request),
        cmocka_unit_test(the_query_is_masked),   cmocka_unit_test(nothing_forges_a_line),
        cmocka_unit_test(the_longest_line_fits), cmocka_unit_test(time_goes_on),
        cmocka_unit_test(error_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
