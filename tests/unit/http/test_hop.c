/* What passes the proxy and what does not, byte for byte. */
#include "http/hop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "http/h1_write.h"
#include "http/head.h"

static const struct head_limits limits = { 8192, 4096, 100 };

static void strip(bool response, const char *fields, const char *want)
{
    char head[2000], area[2000];
    struct msg m;
    struct text t = text_in(head, sizeof head), out = text_in(area, sizeof area);
    text_cstr(&t, response ? "HTTP/1.1 200 OK\r\n" : "POST / HTTP/1.1\r\nHost: a\r\n");
    text_cstr(&t, fields);
    text_lit(&t, "\r\n");
    msg_init(&m, NULL);
    enum fault f = response ? response_parse(&m, head, (u32)t.n, &limits, METHOD_GET)
                            : request_parse(&m, head, (u32)t.n, &limits);
    if (f)
        fail_msg("%s: %s", fault_info(f)->token, fields);
    hop_strip(&m);
    h1_write_fields(&out, &m);
    struct slice left = text_slice(&out); /* Host is a value now */
    if (!slice_is(left, want))
        fail_msg("left of %s is %.*s", fields, (int)left.n, left.p);
    for (unsigned id = 0; id < TOKEN_COUNT; id++)
        assert_int_equal(msg_has(&m, (enum token)id), msg_count(&m, (enum token)id) > 0);
}

static void hop_by_hop(void **state)
{
    (void)state;
    strip(false, "", "");
    strip(false, "Accept: x\r\nX-Y: z\r\n", "Accept: x\r\nX-Y: z\r\n");
    strip(false,
          "Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n"
          "HTTP2-Settings: x\r\nTransfer-Encoding: chunked\r\nAccept: x\r\n",
          "Accept: x\r\n");
    strip(false, "Expect: 100-continue\r\nContent-Length: 5\r\n",
          "Expect: 100-continue\r\n"); /* the length is a value now */
    strip(true, "Connection: close\r\nKeep-Alive: 5\r\nServer: x\r\n", "Server: x\r\n");
    strip(false, "Transfer-Encoding: chunked\r\nTrailer: X\r\n", "Trailer: X\r\n");
    strip(false, "Transfer-Encoding: chunked\r\nConnection: trailer\r\nTrailer: X\r\n",
          "Trailer: X\r\n");
    strip(false, "Content-Length: 3\r\nTrailer: X\r\nDNT: 1\r\n", "DNT: 1\r\n");
}

static void nominated(void **state)
{
    (void)state;
    strip(false, "Connection: X-One, close\r\nX-One: 1\r\nX-Two: 2\r\nx-one: 3\r\n",
          "X-Two: 2\r\n");
    strip(false, "X-One: 1\r\nDNT: 1\r\nConnection: close\r\nConnection: dnt,, x-ONE\r\n", "");
    strip(false,
          "Connection: Host, Content-Length, Cache-Control, Authorization, Cookie, Via, "
          "X-Forwarded-For, Max-Forwards\r\nContent-Length: 5\r\nCache-Control: no-store\r\n"
          "Authorization: x\r\nCookie: c\r\nVia: v\r\nX-Forwarded-For: f\r\nMax-Forwards: 1\r\n",
          "Cache-Control: no-store\r\nAuthorization: x\r\nCookie: c\r\n"
          "Via: v\r\nX-Forwarded-For: f\r\nMax-Forwards: 1\r\n");
    strip(true,
          "Connection: Set-Cookie, Date, Content-Type\r\nSet-Cookie: a\r\nDate: b\r\n"
          "Content-Type: c\r\n",
          "Set-Cookie: a\r\nDate: b\r\nContent-Type: c\r\n");
    strip(false, "Connection: X One, \xff\r\nX-One: 1\r\n", "X-One: 1\r\n");
}

static void proxy_fields(void **state)
{
    (void)state;
    strip(false,
          "Proxy-Authorization: x\r\nProxy-Connection: keep-alive\r\nProxy-Status: x\r\n"
          "PROXY-Secret: y\r\nProxy-: z\r\nProxy: httpoxy\r\nProxyx: 1\r\nProx: 2\r\n",
          "Proxyx: 1\r\nProx: 2\r\n");
    strip(true,
          "Proxy-Authenticate: x\r\nProxy-Status: a\r\nProxy-Features: b\r\n"
          "Proxy-Authentication-Info: c\r\nProxy-Connection: close\r\nConnection: Proxy-Status\r\n",
          "Proxy-Status: a\r\n");
}

static void loops(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool want;
    } cases[] = {
        { "", false },
        { "Via: 1.1 us\r\n", true },
        { "Via: HTTP/1.1 US\r\n", true },
        { "Via: 1.0 them, 1.1 us (proxyd)\r\n", true },
        { "Via: 1.0 them\r\nVia:1.1\tus\r\n", true },
        { "Via: 1.1 us2\r\n", false },
        { "Via: 1.1 xus\r\n", false },
        { "Via: us\r\n", false },
        { "Via: 1.1 them (1.1 us)\r\n", false },
        { "Via: 1.1 us:3128\r\n", false },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        char head[200];
        struct msg m;
        struct text t = text_in(head, sizeof head);
        text_lit(&t, "GET / HTTP/1.1\r\nHost: a\r\n");
        text_cstr(&t, cases[i].fields);
        text_lit(&t, "\r\n");
        msg_init(&m, NULL);
        assert_int_equal(request_parse(&m, head, (u32)t.n, &limits), FAULT_NONE);
        assert_int_equal(via_seen(&m, SLICE("us")), cases[i].want);
    }
}

static enum fault forwards(const char *head, u32 *value, bool *has)
{
    struct msg m;
    msg_init(&m, NULL);
    assert_int_equal(request_parse(&m, head, (u32)strlen(head), &limits), FAULT_NONE);
    return max_forwards(&m, value, has);
}

static void max_forwards_field(void **state)
{
    (void)state;
    u32 v;
    bool has;
#define TRACE "TRACE / HTTP/1.1\r\nHost: a\r\n"
    assert_int_equal(forwards(TRACE "\r\n", &v, &has), FAULT_NONE);
    assert_false(has);
    assert_int_equal(forwards(TRACE "Max-Forwards: 07\r\n\r\n", &v, &has), FAULT_NONE);
    assert_true(has && v == 7);
    assert_int_equal(forwards(TRACE "Max-Forwards: 99999999999\r\n\r\n", &v, &has), FAULT_NONE);
    assert_true(has && v == UINT32_MAX);
    assert_int_equal(forwards(TRACE "Max-Forwards: -1\r\n\r\n", &v, &has), FAULT_bad_max_forwards);
    assert_int_equal(forwards(TRACE "Max-Forwards:\r\n\r\n", &v, &has), FAULT_bad_max_forwards);
    assert_int_equal(forwards(TRACE "Max-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n", &v, &has),
                     FAULT_bad_max_forwards);
    assert_int_equal(forwards("GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n", &v, &has),
                     FAULT_NONE);
    assert_false(has);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hop_by_hop),         cmocka_unit_test(nominated),
        cmocka_unit_test(proxy_fields),       cmocka_unit_test(loops),
        cmocka_unit_test(max_forwards_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
