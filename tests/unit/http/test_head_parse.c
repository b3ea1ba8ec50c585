/* Requests: the table of every refusal, and what a head that passes says about its body and
 * connection. */
#include "http/head.h"
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/http/help_head.h"

static void check_request(struct slice head, enum fault want)
{
    struct msg m;
    struct arena a;
    char *p = exact(head);
    arena_init(&a, 0);
    msg_init(&m, &a);
    enum fault got = request_parse(&m, p, (u32)head.n, &limits);
    if (got != want)
        fail_msg("%s, wanted %s in: %.*s", fault_info(got)->token, fault_info(want)->token,
                 (int)head.n, head.p);
    arena_free(&a);
    free(p);
}

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define END "\r\n"

static const struct text_case request_cases[] = {
    { GET END, 0, FAULT_NONE },
    /* the request line */
    { " GET / HTTP/1.1\r\n" HOST END, 0, FAULT_bad_method },
    { "GET  / HTTP/1.1\r\n" HOST END, 0, FAULT_bad_target },
    { "GET /  HTTP/1.1\r\n" HOST END, 0, FAULT_bad_target },
    { "GET / a HTTP/1.1\r\n" HOST END, 0, FAULT_bad_target },
    { "GET / HTTP/1.1 \r\n" HOST END, 0, FAULT_bad_target },
    { "GET\t/ HTTP/1.1\r\n" HOST END, 0, FAULT_bad_method },
    { "GET /\tHTTP/1.1\r\n" HOST END, 0, FAULT_bad_target },
    { "G@T / HTTP/1.1\r\n" HOST END, 0, FAULT_bad_method },
    { "G\xc3\x89T / HTTP/1.1\r\n" HOST END, 0, FAULT_bad_method },
    { "GET\r\n" HOST END, 0, FAULT_bad_request_line },
    { "hello\r\n" END, 0, FAULT_bad_request_line },
    { "GET \r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET /\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET / \r\n" HOST END, 0, FAULT_bad_request_line },
    { "\r\n", 0, FAULT_bad_method },
    { "\r\n" GET END, 0, FAULT_bad_method },
    { "GET /a#b HTTP/1.1\r\n" HOST END, 0, FAULT_NONE },
    { "GET /a#b c HTTP/1.1\r\n" HOST END, 0, FAULT_bad_target },
    { "GET /a#b\tc HTTP/1.1\r\n" HOST END, 0, FAULT_bad_target },
    { "GET /\xc3\xa9 HTTP/1.1\r\n" HOST END, 0, FAULT_NONE },
    { "GET /\xc3\xa9\t HTTP/1.1\r\n" HOST END, 0, FAULT_bad_target },
    { "GET /\x7f HTTP/1.1\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET /\x01 HTTP/1.1\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET /\0 HTTP/1.1\r\n" HOST END, 28, FAULT_bad_request_line },
    /* the version */
    { "GET / HTTP/1.0\r\n" END, 0, FAULT_NONE },
    { "GET / HTTP/1.2\r\n" HOST END, 0, FAULT_NONE },
    { "GET / HTTP/1.9\r\n" END, 0, FAULT_bad_host },
    { "GET / HTTP/2.0\r\n" HOST END, 0, FAULT_bad_version },
    { "PRI * HTTP/2.0\r\n\r\n", 0, FAULT_bad_version },
    { "GET / HTTP/0.9\r\n" HOST END, 0, FAULT_bad_version },
    { "GET / http/1.1\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET / HTTP/1.10\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET / HTTP/11\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET / HTTP/1,1\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET / HTTP/1.x\r\n" HOST END, 0, FAULT_bad_request_line },
    { "GET / HTTPS/1.1\r\n" HOST END, 0, FAULT_bad_request_line },
    /* line ends */
    { "GET / HTTP/1.1\n" HOST END, 0, FAULT_bad_line_end },
    { "GET / HTTP/1.1\r" HOST END, 0, FAULT_bad_line_end },
    { GET "A: b\n\r\n", 0, FAULT_bad_line_end },
    { GET "A: b\nC: d\r\n" END, 0, FAULT_bad_line_end },
    { GET "A: b\rC: d\r\n" END, 0, FAULT_bad_line_end },
    { GET "A: b\r\r\n" END, 0, FAULT_bad_line_end },
    { GET "\rA: b\r\n" END, 0, FAULT_bad_line_end },
    { GET "A: b\r\n", 0, FAULT_bad_line_end },
    { GET "A: b", 0, FAULT_bad_line_end },
    { GET END "A: b\r\n" END, 0, FAULT_bad_line_end },
    /* names */
    { GET "A : b\r\n" END, 0, FAULT_bad_field_name },
    { GET "A\t: b\r\n" END, 0, FAULT_bad_field_name },
    { GET "Content-Length : 5\r\n" END, 0, FAULT_bad_field_name },
    { GET ": b\r\n" END, 0, FAULT_bad_field_name },
    { GET "A\r\n" END, 0, FAULT_bad_field_name },
    { GET "A B: c\r\n" END, 0, FAULT_bad_field_name },
    { GET "A(: c\r\n" END, 0, FAULT_bad_field_name },
    { GET "A\xc3\xa9: c\r\n" END, 0, FAULT_bad_field_name },
    { GET "A\x00: c\r\n" END, 34, FAULT_bad_field_value },
    { GET "\"A\": c\r\n" END, 0, FAULT_bad_field_name },
    { GET "Transfer-Encoding\x0b: chunked\r\n" END, 0, FAULT_bad_field_value },
    /* folding, also of the first field and with a tab */
    { GET "A: b\r\n c\r\n" END, 0, FAULT_bad_folding },
    { GET "A: b\r\n\tc: d\r\n" END, 0, FAULT_bad_folding },
    { "GET / HTTP/1.1\r\n " HOST END, 0, FAULT_bad_folding },
    { GET "A: b\r\n \r\n" END, 0, FAULT_bad_folding },
    /* values */
    { GET "A: b\0c\r\n" END, 35, FAULT_bad_field_value },
    { GET "A: b\x08\r\n" END, 0, FAULT_bad_field_value },
    { GET "A: b\x7f\r\n" END, 0, FAULT_bad_field_value },
    { GET "A: b\x0b\r\n" END, 0, FAULT_bad_field_value },
    { GET "A:\r\n" END, 0, FAULT_NONE },
    { GET "A: \xc3\xa9\tb\r\n" END, 0, FAULT_NONE },
    { GET "A::b\r\n" END, 0, FAULT_NONE },
    { GET "!#$%&'*+-.^_`|~: b\r\n" END, 0, FAULT_NONE },
};

static void request_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(request_cases); i++)
        check_request(case_text(&request_cases[i]), request_cases[i].want);
}

static void host_refusals(void **state)
{
    (void)state;
    static const struct text_case hosts[] = {
        { "", 0, FAULT_bad_host },
        { HOST HOST, 0, FAULT_bad_host },
        { "Host: a\r\nhost: b\r\n", 0, FAULT_bad_host },
        { "Host:\r\n", 0, FAULT_bad_host },
        { "Host: a b\r\n", 0, FAULT_bad_host },
        { "Host: a,b\r\n", 0, FAULT_bad_host },
        { "Host: u@a\r\n", 0, FAULT_bad_host },
        { "Host: u:p@a\r\n", 0, FAULT_bad_host },
        { "Host: a/b\r\n", 0, FAULT_bad_host },
        { "Host: a:\r\n", 0, FAULT_bad_host },
        { "Host: a:0\r\n", 0, FAULT_bad_host },
        { "Host: a:65536\r\n", 0, FAULT_bad_host },
        { "Host: a:8x\r\n", 0, FAULT_bad_host },
        { "Host: :80\r\n", 0, FAULT_bad_host },
        { "Host: http://a\r\n", 0, FAULT_bad_host },
        { "Host: a%2e\r\n", 0, FAULT_bad_host },
        { "Host: a\xc3\r\n", 0, FAULT_bad_host },
        { "Host: [::1\r\n", 0, FAULT_bad_host },
        { "Host: 1.2.3.999\r\n", 0, FAULT_bad_host },
        { "Host: a:80\r\n", 0, FAULT_NONE },
        { "Host: [::1]:80\r\n", 0, FAULT_NONE },
        { "Host:a.\r\n", 0, FAULT_NONE },
        { "Host: 127.0.0.1 \r\n", 0, FAULT_NONE },
    };
    for (size_t i = 0; i < countof(hosts); i++) {
        char area[200];
        struct text t = text_in(area, sizeof area);
        text_lit(&t, "GET http://a/ HTTP/1.1\r\n");
        text_add(&t, case_text(&hosts[i]));
        text_lit(&t, END);
        check_request(text_slice(&t), hosts[i].want);
    }
    check_request(SLICE("GET / HTTP/1.0\r\n" HOST HOST END), FAULT_bad_host);
    check_request(SLICE("GET / HTTP/1.0\r\nHost: a b\r\n" END), FAULT_bad_host);
}

static const struct text_case framing_cases[] = {
    { "Content-Length: 5\r\n", 0, FAULT_NONE },
    { "Content-Length: 0\r\n", 0, FAULT_NONE },
    { "Content-Length: 9223372036854775807\r\n", 0, FAULT_NONE },
    { "Content-Length: 9223372036854775808\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 18446744073709551616\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 184467440737095516160\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 000000000000000000000005\r\n", 0, FAULT_bad_content_length },
    { "Content-Length:\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: +5\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: -5\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 0x5\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 5a\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 5 6\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 5,5\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 5, 6\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 5.0\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: \"5\"\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 5\r\nContent-Length: 5\r\n", 0, FAULT_bad_content_length },
    { "Content-Length: 5\r\ncontent-length: 6\r\n", 0, FAULT_bad_content_length },
    { "Transfer-Encoding: chunked\r\n", 0, FAULT_NONE },
    { "TRANSFER-ENCODING:CHUNKED \r\n", 0, FAULT_NONE },
    { "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 0, FAULT_both_lengths },
    { "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 0, FAULT_both_lengths },
    { "Content-Length: x\r\nTransfer-Encoding: x\r\n", 0, FAULT_both_lengths },
    { "Transfer-Encoding: gzip, chunked\r\n", 0, FAULT_unknown_transfer_encoding },
    { "Transfer-Encoding: a,b ,\tChunked\r\n", 0, FAULT_unknown_transfer_encoding },
    { "Transfer-Encoding: gzip\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: identity\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: chunked, gzip\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: chunked, chunked\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: chunked,\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: ,chunked\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding:\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: xchunked\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: chunkedx\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: chunked;q=1\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: \"chunked\"\r\n", 0, FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 0,
      FAULT_bad_transfer_encoding },
    { "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 0, FAULT_bad_transfer_encoding },
    { "Expect: 100-continue\r\n", 0, FAULT_NONE },
    { "Expect: 100-Continue\r\n", 0, FAULT_NONE },
    { "Expect: 200-ok\r\n", 0, FAULT_bad_expectation },
    { "Expect:\r\n", 0, FAULT_bad_expectation },
    { "Expect: 100-continue\r\nExpect: x\r\n", 0, FAULT_bad_expectation },
};

static void framing_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(framing_cases); i++) {
        char area[300];
        struct text t = text_in(area, sizeof area);
        text_lit(&t, "POST / HTTP/1.1\r\n" HOST);
        text_add(&t, case_text(&framing_cases[i]));
        text_lit(&t, END);
        check_request(text_slice(&t), framing_cases[i].want);
    }
    check_request(SLICE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END),
                  FAULT_bad_transfer_encoding);
    check_request(SLICE("CONNECT a:1 HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" END), FAULT_NONE);
    check_request(SLICE("CONNECT a:1 HTTP/1.1\r\n" END), FAULT_NONE); /* the target says it all */
    check_request(SLICE("CONNECT a:1 HTTP/1.1\r\n" HOST HOST END), FAULT_bad_host);
    check_request(SLICE("CONNECT a:1 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n" END),
                  FAULT_bad_content_length);
    check_request(SLICE("CONNECT a:1 HTTP/1.1\r\n" HOST "Content-Length: 4294967296\r\n" END),
                  FAULT_bad_content_length);
    check_request(SLICE("CONNECT a:1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END),
                  FAULT_bad_transfer_encoding);
    check_request(SLICE("GET / HTTP/1.0\r\nExpect: x\r\n" END), FAULT_NONE);
}

/* n fields of which each is `line`, after a request line and Host. */
static struct slice many(char *area, size_t cap, unsigned n, const char *line)
{
    struct text t = text_in(area, cap);
    text_lit(&t, GET);
    for (unsigned i = 0; i < n; i++)
        text_cstr(&t, line);
    text_lit(&t, END);
    assert_false(t.full);
    return text_slice(&t);
}

static void sizes(void **state)
{
    (void)state;
    static char area[20000];
    struct arena a;
    struct msg m;
    arena_init(&a, 0);
    struct slice head = many(area, sizeof area, 49, "A: b\r\n"); /* 50 with Host */
    msg_init(&m, &a);
    assert_int_equal(request_parse(&m, head.p, (u32)head.n, &limits), FAULT_NONE);
    assert_int_equal(m.nfields, 50);
    assert_true(m.fields != m.inline_fields);
    for (unsigned i = 1; i < 50; i++)
        assert_true(slice_is(msg_value(&m, &m.fields[i]), "b"));
    head = many(area, sizeof area, 50, "A: b\r\n");
    msg_init(&m, &a);
    assert_int_equal(request_parse(&m, head.p, (u32)head.n, &limits), FAULT_too_many_fields);
    arena_free(&a);
    msg_init(&m, NULL); /* without an arena the inline fields are the limit */
    assert_int_equal(request_parse(&m, head.p, (u32)head.n, &limits), FAULT_too_many_fields);
    struct head_limits few = { 8192, 2048, 2 };
    head = many(area, sizeof area, 2, "A: b\r\n");
    msg_init(&m, NULL);
    assert_int_equal(request_parse(&m, head.p, (u32)head.n, &few), FAULT_too_many_fields);

    struct head_limits narrow = { 100, 20, 10 };
    check_request(many(area, sizeof area, 1, "Connection: a,b,,c, d ,e\r\n"), FAULT_NONE);
    msg_init(&m, NULL);
    assert_int_equal(request_parse(&m, SLICE(GET "A: 345678901234567890\r\n" END).p, 50, &narrow),
                     FAULT_head_too_large);
    msg_init(&m, NULL);
    assert_int_equal(request_parse(&m, SLICE("GET /67890123 HTTP/1.1\r\n" END).p, 26, &narrow),
                     FAULT_target_too_long);
    narrow.head = 26;
    msg_init(&m, NULL);
    assert_int_equal(request_parse(&m, SLICE(GET END).p, 27, &narrow), FAULT_head_too_large);
}

static void connection_options_are_bounded(void **state)
{
    (void)state;
    static char area[20000];
    check_request(many(area, sizeof area, 32, "Connection: a, b\r\n"), FAULT_NONE);
    check_request(many(area, sizeof area, 22, "Connection: a,b,c\r\n"), FAULT_bad_field_value);
    check_request(many(area, sizeof area, 13, "Connection: a,b,c,d,e\r\n"), FAULT_bad_field_value);
}

static void parsed(struct msg *m, const char *head)
{
    msg_init(m, NULL);
    enum fault f = request_parse(m, head, (u32)strlen(head), &limits);
    if (f)
        fail_msg("%s in: %s", fault_info(f)->token, head);
}

/* Python's urllib says it twice. */
static void userinfo_in_host(void **state)
{
    (void)state;
    static const struct {
        const char *target, *host, *seen;
    } cases[] = {
        { "GET http://u:p@a/", "u:p@a", "a" },
        { "GET http://u:p@a:81?b", "u:p@a:81", "a:81" },
        { "GET http://u:p@a#u:p@a", "u:p@a", "a" },
        { "CONNECT u:p@a:443", "u:p@a:443", "a:443" },
        { "GET http://@a/", "@a", "a" },
        { "GET http://u:p@a/", "u:q@a", NULL },
        { "GET http://u:p@a/", "u:p@b", NULL },
        { "GET http://a/", "u:p@a", NULL },
        { "GET /u:p@a", "u:p@a", NULL },
        { "GET /", "@", NULL },
        { "GET http://u\\p@a/", "u\\p@a", NULL },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        char head[100];
        struct text t = text_in(head, sizeof head);
        struct authority host;
        struct arena a;
        struct msg m;
        text_cstr(&t, cases[i].target);
        text_lit(&t, " HTTP/1.1\r\nHost: ");
        text_cstr(&t, cases[i].host);
        text_lit(&t, "\r\n\r\n");
        arena_init(&a, 0);
        msg_init(&m, &a);
        m.host_field = &host;
        enum fault f = request_parse(&m, head, (u32)t.n, &limits);
        if (f != (cases[i].seen ? FAULT_NONE : FAULT_bad_host))
            fail_msg("%s beside %s", cases[i].host, cases[i].target);
        if (cases[i].seen)
            assert_true(slice_is(msg_get(&m, TOKEN_HOST), cases[i].seen) &&
                        slice_is(host.text, cases[i].seen));
        arena_free(&a);
    }
}

/* Encoded it is three times as long, and that is what the limits are for. */
static void limits_of_an_encoded_target(void **state)
{
    (void)state;
    static const struct {
        u32 head, line;
        enum fault want;
    } cases[] = {
        { 100, 32, FAULT_NONE },
        { 100, 31, FAULT_target_too_long },
        { 47, 32, FAULT_NONE },
        { 46, 32, FAULT_head_too_large },
    };
    static const char head[] = "GET /\xff\xff\xff\xff\xff\xff HTTP/1.1\r\nHost: abc\r\n\r\n";
    for (size_t i = 0; i < countof(cases); i++) {
        struct head_limits narrow = { cases[i].head, cases[i].line, 50 };
        struct arena a;
        struct msg m;
        arena_init(&a, 0);
        msg_init(&m, &a);
        assert_int_equal(request_parse(&m, head, sizeof head - 1, &narrow), cases[i].want);
        arena_free(&a);
    }
}

/* Whether the head is any good or not, and wherever a blank cuts it. */
static void no_password_is_left_in_the_target(void **state)
{
    (void)state;
    static const struct {
        const char *line, *target;
    } cases[] = {
        { "GET http://user:pw@a/ HTTP/1.1", "http://a/" },
        { "CONNECT user:pw@a:1 HTTP/1.1", "a:1" },
        { "GET http://user:pw@a/ HTTP/2.0", "http://a/" },
        { "GET http://user:pw@a/  HTTP/1.1", "http://a/" },
        { "GET http://user:pw@a/", "http://a/" },
        { "GET http://user:1 pw@a/ HTTP/1.1", "" },
        { "GET http://user:1 pw@12345", "" },
        { "GET http://user:1\xc3\xa9@a/ HTTP/1.1", "http://a/" },
        { "GET http://a/\xff#@ HTTP/1.1", "http://a/%FF" },
        { "GET http://user:1 pw%40a/ HTTP/1.1", "" },
        { "GET http://a/x y HTTP/1.1", "http://a/x" },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        char head[100];
        struct text t = text_in(head, sizeof head);
        struct arena a;
        struct msg m;
        text_cstr(&t, cases[i].line);
        text_lit(&t, "\r\nHost: a\r\n\r\n");
        arena_init(&a, 0);
        msg_init(&m, &a);
        (void)request_parse(&m, head, (u32)t.n, &limits);
        if (!slice_is(m.target, cases[i].target))
            fail_msg("%s leaves %.*s", cases[i].line, SLICE_FMT(m.target));
        arena_free(&a);
    }
}

static void what_a_request_says(void **state)
{
    (void)state;
    struct msg m;
    parsed(&m, "GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(m.method, METHOD_GET);
    assert_true(slice_is(m.method_text, "GET"));
    assert_true(slice_is(m.target, "http://a/b?c"));
    assert_int_equal(m.minor, 1);
    assert_int_equal(m.body, BODY_NONE);
    assert_true(m.keep_alive);
    assert_false(m.expect_continue || m.upgrade_websocket || m.te_trailers || m.response);

    parsed(&m, "PURGE * HTTP/1.0\r\n\r\n");
    assert_int_equal(m.method, METHOD_OTHER);
    assert_true(slice_is(m.method_text, "PURGE"));
    assert_int_equal(m.minor, 0);
    assert_false(m.keep_alive);
    parsed(&m, "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n");
    assert_true(m.keep_alive);
    parsed(&m, "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n");
    assert_false(m.keep_alive);
    parsed(&m, GET "Connection: CLOSE\r\n\r\n");
    assert_false(m.keep_alive);
    parsed(&m, GET "Connection: closed\r\n\r\n");
    assert_true(m.keep_alive);

    parsed(&m, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0007\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(m.body, BODY_LENGTH);
    assert_int_equal(m.body_len, 7);
    assert_true(m.expect_continue);
    assert_true(slice_is(msg_get(&m, TOKEN_CONTENT_LENGTH), "7"));
    parsed(&m, "PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
               "Content-Length: 4294967296\r\n\r\n");
    assert_true(m.expect_continue);
    parsed(&m, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(m.body, BODY_LENGTH);
    assert_false(m.expect_continue);
    parsed(&m,
           "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\nTE: gzip, Trailers\r\n\r\n");
    assert_int_equal(m.body, BODY_STREAMED);
    assert_true(m.te_trailers);
}

static void websocket_upgrade(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool want;
    } cases[] = {
        { "Connection: Upgrade\r\nUpgrade: websocket\r\n", true },
        { "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", true },
        { "Upgrade: websocket\r\n", false },
        { "Connection: Upgrade\r\n", false },
        { "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n", false },
        { "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", false },
        { "Connection: Upgrade\r\nUpgrade: h2c\r\n", false },
        { "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", false },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        char head[300];
        struct msg m;
        struct text t = text_in(head, sizeof head);
        text_lit(&t, GET);
        text_cstr(&t, cases[i].fields);
        text_lit(&t, END "\0");
        parsed(&m, head);
        assert_int_equal(m.upgrade_websocket, cases[i].want);
    }
    struct msg m;
    parsed(&m, "POST / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_false(m.upgrade_websocket);
    parsed(&m, "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_false(m.upgrade_websocket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_refusals),
        cmocka_unit_test(host_refusals),
        cmocka_unit_test(framing_refusals),
        cmocka_unit_test(sizes),
        cmocka_unit_test(connection_options_are_bounded),
        cmocka_unit_test(userinfo_in_host),
        cmocka_unit_test(limits_of_an_encoded_target),
        cmocka_unit_test(no_password_is_left_in_the_target),
        cmocka_unit_test(what_a_request_says),
        cmocka_unit_test(websocket_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
