/* The lines of all formats, byte for byte: what is shown, what is masked, what is escaped. */
#include "core/report/log_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { AT_S = 1795417200 }; /* 2026-11-23T07:00:00Z */

static char area[LOG_LINE + 1];

struct line {
    const char *text[LOG_STRINGS];
    struct slice evidence; /* instead of the rule's name alone */
    u16 status;
    enum fault fault;
    u64 total_us;
    const char *client, *server;
    struct log_style style;
    bool tunnel;
};

static const char *format(const struct line *l, u64 wall_us)
{
    static struct log_clock clock;
    static char record[8192];
    struct access_record *r = (void *)record;
    struct text t = text_in(area, LOG_LINE);
    *r = (struct access_record){
        .head = { .kind = LOG_ACCESS, .status = l->status, .wall_us = wall_us },
        .id = 0xab1,
        .bytes_in = 78,
        .bytes_out = 1256,
        .total_us = l->total_us,
        .fault = l->fault,
        .tunnel = l->tunnel,
        .minor = 1,
        .no_content = l->status ? 256 : 1256
    };
    assert_true(addr_parse_port(slice_of(l->client ? l->client : "127.0.0.1:4000"), &r->client));
    if (l->server)
        assert_true(addr_parse_port(slice_of(l->server), &r->server));
    char *to = (char *)(r + 1);
    for (unsigned i = 0; i < LOG_STRINGS; i++) {
        bool whole = i == STRING_RULE && l->evidence.n;
        struct slice s = whole ? l->evidence : slice_of(l->text[i]);
        r->head.length[i] = (u16)s.n;
        if (s.n)
            memcpy(to, s.p, s.n);
        to += s.n;
    }
    log_format_access(&t, &clock, &l->style, r);
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

static const struct line WHOLE = { .text = { [STRING_METHOD] = "GET",
                                             [STRING_TARGET] = "http://example.com/x?k=v w",
                                             [STRING_RULE] = "office",
                                             [STRING_LISTENER] = "egress",
                                             [STRING_REFERER] = "http://u:p@a.test/p?q=1",
                                             [STRING_AGENT] = "Moz \"x\" \\ \x7f\xc3\xa9",
                                             [STRING_TYPE] = "text/html; charset=utf-8" },
                                   .status = 200,
                                   .total_us = 12345,
                                   .client = "192.0.2.77:4000",
                                   .server = "192.0.2.1:80" };
static const struct line DENIED = { .text = { [STRING_METHOD] = "CONNECT",
                                              [STRING_TARGET] = "a.test:22",
                                              [STRING_RULE] = "connect-ports",
                                              [STRING_REASON] = "ask \"them\"\n",
                                              [STRING_TYPE] = "text/plain" },
                                    .status = 403,
                                    .fault = FAULT_connect_port_denied };
static const struct line NOTHING = { .fault = FAULT_client_closed };

static const char *as(enum log_format format, struct line l, bool query, bool mask)
{
    l.style = (struct log_style){ (u8)format, query, mask };
    return line(l);
}

static void squid(void **state)
{
    (void)state;
    assert_string_equal(as(FORMAT_SQUID, WHOLE, false, false),
                        "1795417200.123     12 192.0.2.77 TCP_MISS/200 1256 GET "
                        "http://example.com/x? - HIER_DIRECT/192.0.2.1 text/html\n");
    assert_string_equal(as(FORMAT_SQUID, WHOLE, true, true),
                        "1795417200.123     12 192.0.2.0 TCP_MISS/200 1256 GET "
                        "http://example.com/x?k=v%20w - HIER_DIRECT/192.0.2.1 text/html\n");
    assert_string_equal(as(FORMAT_SQUID, DENIED, false, false),
                        "1795417200.123      0 127.0.0.1 TCP_DENIED/403 1256 CONNECT a.test:22 - "
                        "HIER_NONE/- text/plain\n");
    assert_string_equal(as(FORMAT_SQUID, NOTHING, false, false),
                        "1795417200.123      0 127.0.0.1 NONE_NONE/000 1256 - "
                        "error:transaction-end-before-headers - HIER_NONE/- -\n");
    struct line l = DENIED;
    l.tunnel = true, l.fault = FAULT_NONE, l.status = 200, l.server = "[2001:db8::2]:443";
    l.text[STRING_TYPE] = NULL, l.total_us = 1234567000;
    assert_string_equal(as(FORMAT_SQUID, l, false, false),
                        "1795417200.123 1234567 127.0.0.1 TCP_TUNNEL/200 1256 CONNECT a.test:22 - "
                        "HIER_DIRECT/2001:db8::2 -\n");
    l = WHOLE;
    l.fault = FAULT_client_reset;
    assert_non_null(strstr(as(FORMAT_SQUID, l, false, false), " TCP_MISS_ABORTED/200 "));
    l.fault = FAULT_response_truncated;
    assert_non_null(strstr(as(FORMAT_SQUID, l, false, false), " TCP_MISS/200 "));
    l.fault = FAULT_NONE, l.server = NULL;
    assert_non_null(strstr(as(FORMAT_SQUID, l, false, false), " NONE_NONE/200 "));
}

static void common_and_combined(void **state)
{
    (void)state;
    assert_string_equal(as(FORMAT_COMMON, WHOLE, false, true),
                        "192.0.2.0 - - [23/Nov/2026:07:00:00 +0000] "
                        "\"GET http://example.com/x HTTP/1.1\" 200 1000\n");
    assert_string_equal(as(FORMAT_COMBINED, WHOLE, true, false),
                        "192.0.2.77 - - [23/Nov/2026:07:00:00 +0000] "
                        "\"GET http://example.com/x?k=v w HTTP/1.1\" 200 1000 "
                        "\"http://a.test/p?q=1\" \"Moz \\x22x\\x22 \\x5C \\x7F\\xC3\\xA9\"\n");
    assert_string_equal(as(FORMAT_COMBINED, DENIED, false, false),
                        "127.0.0.1 - - [23/Nov/2026:07:00:00 +0000] "
                        "\"CONNECT a.test:22 HTTP/1.1\" 403 1000 \"-\" \"-\"\n");
    assert_string_equal(as(FORMAT_COMMON, NOTHING, false, false),
                        "127.0.0.1 - - [23/Nov/2026:07:00:00 +0000] \"-\" 499 -\n");
    struct line l = { .text = { [STRING_METHOD] = "GET" }, .fault = FAULT_bad_request_line };
    l.status = 400;
    assert_non_null(strstr(as(FORMAT_COMMON, l, false, false), " \"GET -\" 400 1000\n"));
    l.fault = FAULT_draining, l.status = 0;
    assert_non_null(strstr(as(FORMAT_COMMON, l, false, false), "\" 000 -\n"));
}

static void json(void **state)
{
    (void)state;
    assert_string_equal(
        as(FORMAT_JSON, WHOLE, true, false),
        "{\"time\":\"2026-11-23T07:00:00.123Z\",\"id\":\"0000000000000ab1\",\"listener\":"
        "\"egress\",\"client\":\"192.0.2.77\",\"method\":\"GET\",\"url\":\"http://example.com/x\","
        "\"query\":\"k=v w\",\"version\":\"1.1\",\"status\":200,\"bytes_in\":78,\"bytes_out\":1256,"
        "\"content\":1000,\"duration_ms\":12.345,\"first_byte_ms\":null,\"server\":\"192.0.2.1:"
        "80\","
        "\"reused\":false,\"tunnel\":false,\"upgrade\":null,\"rule\":\"office\",\"cause\":null,"
        "\"reason\":null,\"referer\":\"http://a.test/p?q=1\",\"user_agent\":\"Moz \\\"x\\\" \\\\ "
        "\\u007f\xc3\xa9\",\"type\":\"text/html; charset=utf-8\",\"shadow\":null,"
        "\"list\":null,\"category\":null,\"entry\":null,\"sni\":null,\"user\":null,\"at\":null,"
        "\"match\":null,\"name\":null,\"cache\":null}"
        "\n");
    const char *said = as(FORMAT_JSON, DENIED, false, false);
    assert_non_null(strstr(said, "\"server\":null,"));
    assert_non_null(
        strstr(said, "\"cause\":\"connect_port_denied\",\"reason\":\"ask \\\"them\\\"\\u000a\","));
    said = as(FORMAT_JSON, NOTHING, false, false);
    assert_non_null(strstr(said, "\"method\":null,\"url\":null,\"query\":null,\"version\":null,"
                                 "\"status\":null,"));
}

static void w3c(void **state)
{
    (void)state;
    struct log_clock clock = { 0 };
    struct log_style style = { .format = FORMAT_W3C };
    struct text t = text_in(area, LOG_LINE);
    log_format_begin(&t, &clock, &style, AT_S * 1000000ull);
    area[t.n] = 0;
    assert_non_null(strstr(area, "#Version: 1.0\n#Software: proxyd "));
    assert_non_null(strstr(area, "\n#Date: 2026-11-23 07:00:00\n#Fields: date time c-ip cs-method "
                                 "cs-uri sc-status "));
    assert_string_equal(as(FORMAT_W3C, WHOLE, false, false),
                        "2026-11-23 07:00:00 192.0.2.77 GET http://example.com/x 200 1256 78 0.012 "
                        "192.0.2.1 \"Moz \"\"x\"\" \\x5C \\x7F\\xC3\\xA9\" \"http://a.test/p\" "
                        "\"text/html; charset=utf-8\" office - 0000000000000ab1 - - - - - - - -\n");
    assert_string_equal(as(FORMAT_W3C_IIS, WHOLE, true, false),
                        "2026-11-23 07:00:00 192.0.2.77 GET http://example.com/x?k=v%20w 200 1256 "
                        "78 12 192.0.2.1 Moz+\\x22x\\x22+\\x5C+\\x7F\\xC3\\xA9 http://a.test/p?q=1 "
                        "text/html;+charset=utf-8 office - 0000000000000ab1 - - - - - - - -\n");
    assert_string_equal(as(FORMAT_W3C, NOTHING, false, false),
                        "2026-11-23 07:00:00 127.0.0.1 - - - 1256 78 0.000 - - - - - client_closed "
                        "0000000000000ab1 - - - - - - - -\n");
}

/* What a decision rests upon, in all formats that have a place for it. */
static void why(void **state)
{
    (void)state;
    static const char evidence[] = "no\0ads\0games\0l/d:2\0c.conf:7\0to x \"y\"\0"
                                   "0123456789abcdef0123456789abcdef";
    struct line l = { .text = { [STRING_METHOD] = "GET",
                                [STRING_TARGET] = "http://x/",
                                [STRING_SHADOW] = "trial" },
                      .status = 403,
                      .fault = FAULT_rule_denied,
                      .evidence = { evidence, sizeof evidence - 1 } };
    assert_string_equal(as(FORMAT_READABLE, l, false, false),
                        BEGIN "\"GET http://x/\" 403 in=78 out=1256 0.0ms rule=no shadow=trial "
                              "list=ads category=games entry=l/d:2 at=c.conf:7 cause=rule_denied "
                              "match=\"to x \\x22y\\x22\" id=0123456789abcdef0123456789abcdef\n");
    assert_non_null(
        strstr(as(FORMAT_JSON, l, false, false), "\"id\":\"0123456789abcdef0123456789abcdef\","));
    assert_non_null(
        strstr(as(FORMAT_JSON, l, false, false),
               "\"shadow\":\"trial\",\"list\":\"ads\",\"category\":\"games\",\"entry\":"
               "\"l/d:2\",\"sni\":null,\"user\":null,\"at\":\"c.conf:7\",\"match\":\"to x "
               "\\\"y\\\"\",\"name\":null,\"cache\":null}"));
    assert_non_null(
        strstr(as(FORMAT_W3C, l, false, false),
               " no rule_denied 0123456789abcdef0123456789abcdef - trial ads games l/d:2 "
               "c.conf:7 \"to x \"\"y\"\"\" -\n"));
    assert_non_null(strstr(as(FORMAT_W3C_IIS, l, false, false), " c.conf:7 to+x+\\x22y\\x22 -\n"));
    assert_null(strstr(as(FORMAT_SQUID, l, false, false), "ads"));
    assert_null(strstr(as(FORMAT_COMBINED, l, false, false), "ads"));
}

static void only_the_network_of_a_client(void **state)
{
    (void)state;
    struct line l = { .status = 200, .client = "[2001:db8:1:2:3::4]:4000" };
    assert_memory_equal(as(FORMAT_COMMON, l, false, true), "2001:db8:1:: -", 14);
    assert_non_null(strstr(as(FORMAT_READABLE, WHOLE, false, true), "Z 192.0.2.0 "));
}

/* No format shows a secret of a Referer, whatever it looks like. */
static void secrets_of_a_referer(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        { "http://u:p@a.test/x", "http://a.test/x", "http://a.test/x" },
        { "http://u:p@q@a.test?s", "http://a.test", "http://a.test?s" },
        { "https:\\\\u:p@a.test\\x#f", "https:\\\\a.test\\x", "https:\\\\a.test\\x#f" },
        { "//u:p@a.test/@b?x@y", "//a.test/@b", "//a.test/@b?x@y" },
        { "http:u:p@a.test/x", "a.test/x", "a.test/x" },
        { "u:p@a.test", "a.test", "a.test" },
        { "http://a.test#token", "http://a.test", "http://a.test#token" },
        { "/x/y@z", "/x/y@z", "/x/y@z" },
        { "?q", "", "?q" },
        { "http://u:p@", "http://", "http://" },
    };
    for (unsigned i = 0; i < countof(rows); i++)
        for (unsigned query = 0; query < 2; query++) {
            struct {
                struct access_record r;
                char text[100];
            } a = { 0 };
            struct log_parts p;
            struct log_style style = { .query = query };
            a.r.head.length[STRING_REFERER] = (u16)strlen(rows[i][0]);
            strcpy(a.text, rows[i][0]);
            log_parts(&p, &style, &a.r);
            struct slice got = p.s[STRING_REFERER];
            if (!slice_is(got, rows[i][1 + query]))
                fail_msg("%s: %.*s", rows[i][0], SLICE_FMT(got));
        }
}

/* The longest strings that account.c lets through, each byte escaped, in each format. */
static void the_longest_lines_fit(void **state)
{
    (void)state;
    static char s[LOG_STRINGS][2049];
    static const u16 most[LOG_STRINGS] = { 64, 2048, 256, 128, 128, 512, 16, 1024, 512, 128 };
    struct line l = { .status = 200, .total_us = (1ull << 48) - 1 };
    for (unsigned i = 0; i < LOG_STRINGS; i++) {
        memset(s[i], i == STRING_REFERER ? 0xff : 1, most[i]);
        l.text[i] = s[i];
    }
    for (unsigned f = FORMAT_READABLE; f <= FORMAT_W3C_IIS; f++)
        for (unsigned byte = 0; byte < 2; byte++) {
            s[STRING_TARGET][0] = byte ? '?' : 'x';
            const char *said = as((enum log_format)f, l, true, false);
            assert_int_equal(strcspn(said, "\n"), strlen(said) - 1);
        }
}

/* Bytes that mean something to some format, and any others. */
static void hostile(char *s, size_t n, unsigned *seed)
{
    static const char odd[] = "\"\\ \t\n\r\x1b\x7f\x80\xc3\xa9\xff?#@%+-[]{},:";
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 1103515245 + 12345;
        unsigned r = *seed >> 16;
        s[i] = r & 1 ? odd[(r >> 1) % (sizeof odd - 1)] : (char)(1 + (r >> 1) % 255);
    }
    s[n] = 0;
}

/* Runs of bytes between blanks, those in quotes taken together. */
static unsigned fields_of(const char *line, bool quotes)
{
    unsigned n = 0;
    bool inside = false, between = true;
    for (; *line && *line != '\n'; line++) {
        if (quotes && *line == '"')
            inside = !inside;
        bool blank = *line == ' ' && !inside;
        n += between && !blank;
        between = blank;
    }
    assert_false(inside);
    return n;
}

/* One record is one line, and its fields can be told apart, in every format. */
static void whatever_comes(void **state)
{
    (void)state;
    static const struct {
        enum log_format format;
        bool quotes;
        unsigned fields;
    } rows[] = { { FORMAT_SQUID, false, 10 },
                 { FORMAT_COMMON, true, 8 },
                 { FORMAT_COMBINED, true, 10 },
                 { FORMAT_W3C, true, 24 },
                 { FORMAT_W3C_IIS, false, 24 } };
    static char s[LOG_STRINGS][41];
    struct line l = { .status = 200 };
    unsigned seed = 1;
    for (unsigned turn = 0; turn < 2000; turn++) {
        for (unsigned i = 0; i < LOG_STRINGS; i++) {
            hostile(s[i], 1 + (seed >> 20) % 40, &seed);
            l.text[i] = s[i];
        }
        for (unsigned f = FORMAT_READABLE; f <= FORMAT_W3C_IIS; f++) {
            const char *said = as((enum log_format)f, l, turn & 1, turn & 2);
            for (const char *p = said; *p; p++)
                if ((u8)*p < ' ' && strcmp(p, "\n") != 0)
                    fail_msg("format %u: %s", f, said);
        }
        for (unsigned i = 0; i < countof(rows); i++) {
            const char *said = as(rows[i].format, l, turn & 1, false);
            if (fields_of(said, rows[i].quotes) != rows[i].fields)
                fail_msg("format %u: %u fields: %s", rows[i].format,
                         fields_of(said, rows[i].quotes), said);
        }
    }
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
        cmocka_unit_test(whole_lines),
        cmocka_unit_test(without_a_request),
        cmocka_unit_test(the_query_is_masked),
        cmocka_unit_test(nothing_forges_a_line),
        cmocka_unit_test(the_longest_lines_fit),
        cmocka_unit_test(time_goes_on),
        cmocka_unit_test(error_lines),
        cmocka_unit_test(squid),
        cmocka_unit_test(common_and_combined),
        cmocka_unit_test(json),
        cmocka_unit_test(w3c),
        cmocka_unit_test(why),
        cmocka_unit_test(only_the_network_of_a_client),
        cmocka_unit_test(secrets_of_a_referer),
        cmocka_unit_test(whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
