/* What the origin and the client see of each other through a forward proxy, byte for byte. */
#include "forward/headers.h"

#include "forward/conf.h"
#include "forward/role.h"
#include "forward/transparent.h"
#include "http/h1_write.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/policy/policy_text.h"

static struct xchg *x;
static char area[4096];
static struct policy_text rules;
static struct forward_part part;

static int set_up(void **state)
{
    rig_set_up(state);
    x = calloc(1, sizeof *x);
    x->worker = rig.worker;
    x->listen = rig.listener;
    x->role = &forward_role;
    rules = policy_from("policy p { default allow; contact help@x.test; rules { deny no { respond "
                        "451; } redirect away { "
                        "location http://x.test/; } } }");
    part.policy = rules.policy;
    rig.listener->part = &part;
    arena_init(&x->arena, 0);
    return 0;
}

static int tear_down(void **state)
{
    policy_text_free(&rules);
    arena_free(&x->arena);
    free(x);
    return rig_tear_down(state);
}

#define HEADERS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct head_limits limits = { .head = 32768, .line = 16384, .fields = 128 };

static const char *written(const struct msg *m)
{
    struct text t = text_in(area, sizeof area - 1);
    h1_write_head(&t, m, 1, false);
    area[t.n] = 0;
    return area;
}

static const char *to_upstream(const char *request)
{
    msg_init(&x->req, &x->arena);
    assert_int_equal(request_parse(&x->req, request, (u32)strlen(request), &limits), FAULT_NONE);
    assert_int_equal(target_parse(x->req.method, x->req.target, NULL, &x->uri), FAULT_NONE);
    assert_true(forward_edit_request(x) && forward_address_request(x));
    return written(&x->req);
}

static const char *to_client(const char *answer)
{
    msg_init(&x->resp, &x->arena);
    assert_int_equal(response_parse(&x->resp, answer, (u32)strlen(answer), &limits, METHOD_GET),
                     FAULT_NONE);
    assert_true(forward_edit_response(x));
    return written(&x->resp);
}

#define VIA "Via: 1.1 proxyd-test\r\n"

static void the_uri_wins_over_host(void **state)
{
    (void)state;
    assert_string_equal(to_upstream(
                            "GET http://A.Test:80/x?y HTTP/1.1\r\nHost: evil\r\nX-A: b\r\n\r\n"),
                        "GET /x?y HTTP/1.1\r\nHost: a.test\r\nX-A: b\r\n" VIA "\r\n");
    assert_string_equal(to_upstream("GET http://a.test:8080 HTTP/1.1\r\nHost: a.test:8080\r\n\r\n"),
                        "GET / HTTP/1.1\r\nHost: a.test:8080\r\n" VIA "\r\n");
    assert_string_equal(to_upstream("GET http://[2001:DB8::1]/ HTTP/1.1\r\nHost: x\r\n\r\n"),
                        "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n" VIA "\r\n");
    assert_string_equal(to_upstream("OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n"),
                        "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n" VIA "\r\n");
    assert_string_equal(to_upstream("OPTIONS http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"),
                        "OPTIONS / HTTP/1.1\r\nHost: a.test\r\n" VIA "\r\n");
}

static void what_was_meant_for_the_proxy_stays(void **state)
{
    (void)state;
    assert_string_equal(
        to_upstream(
            "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: X-Hop, keep-alive\r\n"
            "X-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n"
            "Proxy-Authorization: Basic eA==\r\nProxy: evil\r\nTE: trailers\r\n"
            "Cache-Control: no-cache\r\nAuthorization: Basic eQ==\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: a.test\r\nCache-Control: no-cache\r\n"
        "Authorization: Basic eQ==\r\n" VIA "TE: trailers\r\nConnection: TE\r\n\r\n");
    /* What everybody on the way needs cannot be nominated away. */
    assert_string_equal(
        to_upstream(
            "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
            "Connection: Host, Cache-Control, Authorization\r\nCache-Control: no-cache\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: a.test\r\nCache-Control: no-cache\r\n" VIA "\r\n");
}

/* A forward proxy hides who asks. */
static void nothing_about_the_client_is_added(void **state)
{
    (void)state;
    const char *sent = to_upstream("GET http://a.test/ HTTP/1.0\r\nVia: 1.1 before\r\n\r\n");
    assert_string_equal(sent, "GET / HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 before\r\n"
                              "Via: 1.0 proxyd-test\r\n\r\n");
    assert_has_not(sent, "Forwarded");
}

static void answers(void **state)
{
    (void)state;
    assert_string_equal(
        to_client("HTTP/1.1 200 Fine by me\r\nServer: x\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
                  "Proxy-Authenticate: Basic\r\nProxy-Status: cdn; error=x\r\nSet-Cookie: a\r\n"
                  "Content-Length: 3\r\n\r\n"),
        "HTTP/1.1 200 Fine by me\r\nServer: x\r\nProxy-Status: cdn; error=x\r\nSet-Cookie: "
        "a\r\n" VIA "Content-Length: 3\r\n\r\n");
    assert_string_equal(to_client("HTTP/1.0 204 \r\n\r\n"),
                        "HTTP/1.1 204 \r\nVia: 1.0 proxyd-test\r\n\r\n");
}

/* `via NAME` and `via off`, in both directions; the entries of others stay. */
static void our_entry_in_via(void **state)
{
    (void)state;
    static const char request[] =
        "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nVia: 1.0 b\r\n\r\n";
    static const char answer[] = "HTTP/1.0 204 No\r\nVia: 1.1 c\r\n\r\n";
    rig.listener->via = SLICE("edge.test");
    assert_has(to_upstream(request), "Via: 1.0 b\r\nVia: 1.1 edge.test\r\n\r\n");
    assert_has(to_client(answer), "Via: 1.1 c\r\nVia: 1.0 edge.test\r\n\r\n");
    rig.listener->via = SLICE("");
    rig.listener->via_off = true;
    assert_string_equal(to_upstream(request),
                        "GET / HTTP/1.1\r\nHost: a.test\r\nVia: 1.0 b\r\n\r\n");
    assert_string_equal(to_client(answer), "HTTP/1.1 204 No\r\nVia: 1.1 c\r\n\r\n");
}

/* As a decision gives it. */
static struct slice rule(const char *name)
{
    const struct policy *policy = forward_part_of(x->listen)->policy;
    unsigned i = 0;
    while (!slice_is(policy_rule_name(policy_rule_at(policy, i)), name))
        i++;
    return policy_rule_name(policy_rule_at(policy, i));
}

static void refusals(void **state)
{
    (void)state;
    char words[256], url[64];
    struct text help = text_in(words, sizeof words), why = text_in(url, sizeof url);
    struct refusal r = { .help = &help, .why = &why };
    msg_init(&x->resp, &x->arena);
    x->fault = FAULT_rule_denied;
    forward_refuse(x, &x->resp, &r);
    assert_int_equal(x->resp.nfields, 0);
    assert_slice(text_slice(&why), "http://127.0.0.1:3128/why?id=");
    assert_slice(r.contact, "help@x.test");
    why.n = 0;
    x->fault = FAULT_method_not_allowed;
    forward_refuse(x, &x->resp, &r);
    assert_slice(msg_get(&x->resp, TOKEN_ALLOW), "GET, HEAD");
    assert_int_equal(help.n, 0);
    assert_int_equal(r.status, 0);
    x->fault = FAULT_rule_denied;
    x->rule = rule("no");
    forward_refuse(x, &x->resp, &r);
    assert_int_equal(r.status, 451);
    r.status = 0;
    x->rule = rule("away");
    x->req.method = METHOD_CONNECT; /* clients follow no redirect there */
    forward_refuse(x, &x->resp, &r);
    assert_int_equal(r.status, 0);
    assert_null(msg_find_name(&x->resp, SLICE("Location")));
    x->req.method = METHOD_GET;
    forward_refuse(x, &x->resp, &r);
    assert_int_equal(r.status, 302);
    assert_non_null(msg_find_name(&x->resp, SLICE("Location")));
}

/* A client that knows of no proxy is led to the listener that others set, if it can get there. */
static void an_intercepted_client_is_led_to_the_pages(void **state)
{
    (void)state;
    char words[256], url[64];
    struct text help = text_in(words, sizeof words), why = text_in(url, sizeof url);
    struct refusal r = { .help = &help, .why = &why };
    rig.listener->role = &forward_role;
    msg_init(&x->resp, &x->arena);
    x->snap = rig.snapshot;
    x->role = &transparent_role;
    x->fault = FAULT_rule_denied;
    x->peer = addr_loopback(AF_INET, 5);
    forward_refuse(x, &x->resp, &r);
    assert_slice(text_slice(&why), "http://127.0.0.1:3128/why?id=");
    why.n = 0;
    assert_true(addr_parse(SLICE("10.0.0.7"), &x->peer));
    forward_refuse(x, &x->resp, &r);
    assert_int_equal(why.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEADERS_TEST(the_uri_wins_over_host),
        HEADERS_TEST(what_was_meant_for_the_proxy_stays),
        HEADERS_TEST(nothing_about_the_client_is_added),
        HEADERS_TEST(answers),
        HEADERS_TEST(our_entry_in_via),
        HEADERS_TEST(refusals),
        HEADERS_TEST(an_intercepted_client_is_led_to_the_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
