/* Answers of the proxy's own, byte for byte but for Date and the request id. */
#include "core/exchange/local_reply.h"

#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_memory.h"

static struct memory_end end;
static char area[16384];

/* The exchange that `request` opens, as far as an answer needs it. */
static struct xchg *exchange(const char *request)
{
    struct xchg *x = calloc(1, sizeof *x);
    struct head_limits limits = { .head = 32768, .line = 16384, .fields = 128 };
    arena_init(&x->arena, 0);
    msg_init(&x->req, &x->arena);
    x->worker = rig.worker;
    x->role = rig.listener->role;
    x->listen = rig.listener;
    memory_leg(&x->client, &end);
    x->client.h1.keep = true;
    x->id = 1;
    (void)request_parse(&x->req, request, (u32)strlen(request), &limits);
    x->client.minor = x->req.minor;
    return x;
}

/* What the steps make of it. */
static void send_all(struct xchg *x)
{
    x->step = STEP_reply;
    assert_int_equal(step_reply(x), STEP_GO);
    assert_true(x->answered && x->is_local);
    assert_int_equal(x->step, STEP_relay);
    assert_int_equal(step_relay(x), STEP_GO);
    assert_true(x->whole && x->step == STEP_finish);
}

/* What has been written, Date taken out; the exchange is gone. */
static const char *sent(struct xchg *x)
{
    send_all(x);
    struct slice out = memory_out(&end);
    memcpy(area, out.p, out.n);
    area[out.n] = 0;
    char *date = strstr(area, "Date: ");
    assert_non_null(date);
    memmove(date, date + 37, strlen(date + 37) + 1);
    memory_leg_done(&x->client);
    arena_free(&x->arena);
    free(x);
    return area;
}

#define GET "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"

static bool answer_hello(struct xchg *x)
{
    reply_begin(x, 200, SLICE(""));
    assert_true(msg_add(&x->resp, SLICE("X-A"), SLICE("b")));
    return reply_text(x, SLICE("text/plain"), SLICE("hello")) == ANSWERED;
}

static bool answer_nothing(struct xchg *x, u16 status, const char *reason)
{
    reply_begin(x, status, slice_of(reason));
    return reply_kept(x, SLICE(""), SLICE("")) == ANSWERED;
}

static void whole_in_one_go(void **state)
{
    (void)state;
    struct xchg *x = exchange(GET);
    assert_true(answer_hello(x));
    assert_string_equal(sent(x), "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 5\r\n\r\nhello");
}

static void head_has_no_body(void **state)
{
    (void)state;
    struct xchg *x = exchange("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(answer_hello(x));
    assert_string_equal(sent(x), "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 5\r\n\r\n");
    x = exchange(GET);
    assert_true(answer_nothing(x, 204, "Gone fishing"));
    assert_string_equal(sent(x), "HTTP/1.1 204 Gone fishing\r\n\r\n");
}

static void who_stays_connected(void **state)
{
    (void)state;
    struct xchg *x = exchange(GET);
    x->client.last = true;
    assert_true(answer_nothing(x, 200, ""));
    assert_has(sent(x), "\r\nConnection: close\r\n");
    x = exchange("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(answer_nothing(x, 200, ""));
    assert_has(sent(x), "\r\nConnection: keep-alive\r\n");
    x = exchange(GET);
    x->client.in_done = false; /* a body that nobody will read */
    assert_true(answer_nothing(x, 200, ""));
    assert_has(sent(x), "\r\nConnection: close\r\n");
    x = exchange(GET);
    rig.worker->draining = DRAIN_GRACEFUL;
    assert_true(answer_nothing(x, 200, ""));
    assert_has(sent(x), "\r\nConnection: close\r\n");
}

static void a_refusal_tells_its_cause(void **state)
{
    (void)state;
    struct xchg *x = exchange(GET);
    x->fault = FAULT_dns_nxdomain;
    reply_fault(x);
    const char *said = sent(x);
    assert_begins(said, "HTTP/1.1 502 Bad Gateway\r\n");
    assert_has(said, "Proxy-Status: proxyd; error=dns_error; details=\"dns_nxdomain\"\r\n");
    assert_has(said, "Cache-Control: no-store\r\n");
    assert_has(said, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_has(said, "\r\n\r\ndns_nxdomain: the name does not exist\n");
    assert_has(said, "id: 0000000000000001\n");
}

static void in_the_form_that_is_asked_for(void **state)
{
    (void)state;
    struct xchg *x = exchange("GET /x HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n");
    x->fault = FAULT_rule_denied;
    reply_fault(x);
    const char *said = sent(x);
    assert_has(said, "Content-Type: application/json\r\n");
    assert_has(said, "\r\n\r\n{\"status\":403,");
    x = exchange("GET /x HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n");
    x->fault = FAULT_rule_denied;
    reply_fault(x);
    assert_has(sent(x), "\r\n\r\n<!DOCTYPE html>");
}

/* No browser shows the body of a refused CONNECT. */
static void a_refused_connect_says_it_in_the_status_line(void **state)
{
    (void)state;
    struct xchg *x =
        exchange("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nAccept: text/html\r\n\r\n");
    x->fault = FAULT_rule_denied;
    x->rule = SLICE("office");
    reply_fault(x);
    const char *said = sent(x);
    assert_begins(said, "HTTP/1.1 403 Forbidden (rule_denied, rule office)\r\n");
    assert_has(said, "Content-Type: text/plain; charset=utf-8\r\n");
}

static void a_head_that_cannot_be_read(void **state)
{
    (void)state;
    struct xchg *x = exchange("\x16\x03\x01");
    x->fault = FAULT_tls_to_plain_port;
    x->client.last = true;
    reply_fault(x);
    const char *said = sent(x);
    assert_begins(said, "HTTP/1.1 400 ");
    assert_has(said, "Connection: close\r\n");
    assert_has(said, "tls_to_plain_port");
}

static void without_buffers(void **state)
{
    (void)state;
    struct xchg *x = exchange(GET);
    assert_true(answer_hello(x));
    rig_exhaust();
    x->step = STEP_reply;
    assert_int_equal(step_reply(x), STEP_PARK);
    assert_false(x->answered);
    rig_relieve();
    assert_has(sent(x), "\r\n\r\nhello");
}

/* A refusal needs none; its page goes first. */
static void without_memory(void **state)
{
    (void)state;
    struct xchg *x = exchange(GET);
    reply_begin(x, 200, SLICE(""));
    memory_refuse(1, true);
    assert_int_equal(reply_text(x, SLICE("text/plain"), SLICE("hello")), REFUSED);
    assert_int_equal(x->fault, FAULT_out_of_memory);
    x->fault = FAULT_rule_denied;
    reply_fault(x);
    assert_int_equal(memory_relent(), 2);
    assert_int_equal(x->fault, FAULT_rule_denied);
    const char *said = sent(x);
    assert_begins(said, "HTTP/1.1 403 Forbidden\r\n");
    assert_has(said, "details=\"rule_denied\"");
    assert_has(said, "Content-Length: 0\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(whole_in_one_go),
        RIG_TEST(head_has_no_body),
        RIG_TEST(who_stays_connected),
        RIG_TEST(a_refusal_tells_its_cause),
        RIG_TEST(in_the_form_that_is_asked_for),
        RIG_TEST(a_refused_connect_says_it_in_the_status_line),
        RIG_TEST(a_head_that_cannot_be_read),
        RIG_TEST(without_buffers),
        RIG_TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
