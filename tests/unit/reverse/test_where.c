/* Where a reverse request goes: to the pool, in turn, whatever the client calls this site. */
#include "reverse/where.h"

#include "core/conn/target.h"
#include "tests/unit/core/help_engine.h"

#define CONF(servers)                                                                              \
    "listener main { bind 127.0.0.1:8080; mode reverse; routes r; }\n"                             \
    "routes r { route rest { to pool p; } }\n"                                                     \
    "pool p { " servers " }\n"

static char text[500];

static void one_server(int *origin)
{
    *origin = rig_origin();
    snprintf(text, sizeof text, CONF("server 127.0.0.1:%u;"), rig.port);
    rig_configure(text);
}

static void every_request_goes_to_the_pool(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /x HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        "GET http://other.example/x HTTP/1.1\r\nHost: ignored\r\n\r\n",
        "GET /x HTTP/1.0\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: 10.0.0.1:99\r\n\r\n",
    };
    int origin;
    one_server(&origin);
    for (unsigned i = 0; i < countof(requests); i++) {
        rig_say(rig_client(), requests[i]);
        assert_begins(rig_hears(rig_accept(origin)), "GET /x HTTP/1.1\r\n");
        assert_slice(rig_exchange()->rule, "rest");
    }
}

static void connect_is_not_for_us(void **state)
{
    (void)state;
    int origin;
    one_server(&origin);
    const char *said = rig_ask(rig_client(), "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    assert_begins(said, "HTTP/1.1 405 ");
    assert_has(said, "\r\nAllow: GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH\r\n");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 0);
}

/* Written in any form, also with brackets. */
static void servers_of_every_kind(void **state)
{
    (void)state;
    struct xchg *x = calloc(1, sizeof *x);
    rig_configure(CONF("server [::1]:81; server 127.0.0.9:80; server www.internal.example:82;"));
    x->worker = rig.worker;
    x->listen = rig.listener;
    static const struct {
        const char *host;
        u16 port;
        bool literal;
    } rows[] = { { "::1", 81, true },
                 { "127.0.0.9", 80, true },
                 { "www.internal.example", 82, false } };
    for (unsigned i = 0; i < countof(rows); i++) {
        assert_int_equal(reverse_where(x), PASS);
        lease_end_all(x);
        assert_slice((struct slice){ x->to.host->name, x->to.host->len }, rows[i].host);
        assert_int_equal(x->to.port, rows[i].port);
        assert_int_equal(x->to.ngiven, rows[i].literal); /* an address is not looked up */
        if (rows[i].literal)
            assert_ptr_equal(x->to.given, &x->to.host->addr);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(every_request_goes_to_the_pool),
        RIG_TEST(connect_is_not_for_us),
        RIG_TEST(servers_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
