/* Who may ask at all: the policy's `clients`. */
#include "forward/identity.h"

#include "core/codec/server.h"
#include "tests/unit/core/help_engine.h"

static const char *asked_from(const char *address)
{
    static int pair[2];
    struct addr peer;
    assert_true(addr_parse(slice_of(address), &peer));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    client_accept(rig.worker, rig.listener->at, pair[1], &peer);
    const char *said = rig_ask(pair[0], "GET /proxy.pac HTTP/1.1\r\nHost: x\r\n\r\n");
    close(pair[0]);
    rig_turn();
    return said;
}

static void by_network(void **state)
{
    (void)state;
    rig_configure("listener main { bind 127.0.0.1:3128; mode forward; policy p; }\n"
                  "policy p { clients 192.0.2.0/24 2001:db8::/32; default allow; }\n");
    assert_begins(asked_from("192.0.2.77"), "HTTP/1.1 200 ");
    assert_begins(asked_from("2001:db8:1::1"), "HTTP/1.1 200 ");
    const char *said = asked_from("192.0.3.1");
    assert_begins(said, "HTTP/1.1 403 ");
    assert_has(said, "client_not_allowed");
    assert_has(said, "\nclient: 192.0.3.1\n");
    assert_has(said, "Connection: close\r\n"); /* nothing else will be answered either */
    assert_begins(asked_from("127.0.0.1"), "HTTP/1.1 403 ");
    assert_begins(asked_from("2001:db9::1"), "HTTP/1.1 403 ");
}

/* Without the key: this machine only. */
static void by_default(void **state)
{
    (void)state;
    rig_configure("listener main { bind 127.0.0.1:3128; mode forward; policy p; }\n"
                  "policy p { default allow; }\n");
    assert_begins(asked_from("127.0.0.1"), "HTTP/1.1 200 ");
    assert_begins(asked_from("::1"), "HTTP/1.1 200 ");
    assert_begins(asked_from("198.51.100.1"), "HTTP/1.1 403 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = { RIG_TEST(by_network), RIG_TEST(by_default) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
