/* TRACE and OPTIONS that end here. */
#include "core/exchange/trace.h"

#include "tests/unit/core/help_engine.h"

#define HEAD(method, more) method " http://one.test/p HTTP/1.1\r\nHost: one.test\r\n" more "\r\n"

static void trace_ends_at_zero(void **state)
{
    (void)state;
    const char *said = rig_ask(rig_client(), HEAD("TRACE", "Max-Forwards: 0\r\nX-A: b\r\n"
                                                           "Authorization: Basic aHVudGVyMg==\r\n"
                                                           "proxy-authorization: secret\r\n"
                                                           "Cookie: a=hunter2\r\n"));
    assert_begins(said, "HTTP/1.1 200 OK\r\n");
    assert_has(said, "Content-Type: message/http\r\n");
    assert_has(said, "\r\n\r\nTRACE http://one.test/p HTTP/1.1\r\nHost: one.test\r\n"
                     "Max-Forwards: 0\r\nX-A: b\r\n\r\n");
    assert_has_not(said, "aHVudGVyMg");
    assert_has_not(said, "secret");
    assert_has_not(said, "hunter2");
}

static void options_end_at_zero(void **state)
{
    (void)state;
    const char *said = rig_ask(rig_client(), HEAD("OPTIONS", "Max-Forwards: 0\r\n"));
    assert_begins(said, "HTTP/1.1 200 OK\r\n");
    assert_has(said, "\r\nAllow: GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH\r\n");
}

static void counted_down_on_the_way(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    rig_say(client, HEAD("TRACE", "Max-Forwards: 7\r\n"));
    const char *said = rig_hears(rig_accept(origin));
    assert_has(said, "\r\nMax-Forwards: 6\r\n");
    assert_has_not(said, "Max-Forwards: 7");
    client = rig_client();
    rig_say(client, HEAD("GET", "Max-Forwards: 0\r\n")); /* means nothing for others */
    assert_begins(rig_hears(rig_accept(origin)), "GET ");
}

static void malformed(void **state)
{
    (void)state;
    static const char *const heads[] = {
        HEAD("TRACE", "Max-Forwards: -1\r\n"),
        HEAD("TRACE", "Max-Forwards: x\r\n"),
        HEAD("OPTIONS", "Max-Forwards: 1\r\nMax-Forwards: 1\r\n"),
    };
    for (unsigned i = 0; i < countof(heads); i++) {
        const char *said = rig_ask(rig_client(), heads[i]);
        assert_begins(said, "HTTP/1.1 400 ");
        assert_has(said, "bad_max_forwards");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(trace_ends_at_zero),
        RIG_TEST(options_end_at_zero),
        RIG_TEST(counted_down_on_the_way),
        RIG_TEST(malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
