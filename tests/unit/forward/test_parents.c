/* The proxies of a parent: the first that can be connected to, and what those that cannot cost the
 * requests behind the one that has found out. */
#include "forward/parents.h"

#include "tests/unit/core/help_engine.h"

enum { PROXIES = 3 };

static int proxy[PROXIES];
static u16 port[PROXIES];

static void start(unsigned n)
{
    char text[600];
    struct text t = text_in(text, sizeof text);
    text_lit(&t, "listener main { bind 127.0.0.1:3128; mode forward; policy p; }\n"
                 "policy p { default deny; connect-ports any; rules { allow up { via up; } } }\n"
                 "parent up { proxy");
    for (unsigned i = 0; i < n; i++) {
        proxy[i] = rig_origin();
        port[i] = rig.port;
        text_fmt(&t, " 127.0.0.1:%u", port[i]);
    }
    text_lit(&t, "; }\n");
    text[t.n] = 0;
    rig_configure(text);
}

static void die(unsigned i)
{
    rig_close(proxy[i]);
    proxy[i] = -1;
}

static void rise(unsigned i)
{
    proxy[i] = rig_listen("127.0.0.1", port[i], 64);
}

/* Who of n gets it; n: nobody. */
static unsigned asked(unsigned n)
{
    return rig_comes_to(
        proxy, n, "POST http://a.test/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
}

static u64 tried(void)
{
    return rig_count(STAT_upstream_connects_total);
}

static void the_first_one(void **state)
{
    (void)state;
    start(3);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(asked(3), 0);
}

/* While it rests nobody tries it; then one does, and the rest is twice as long. */
static void a_dead_one_rests(void **state)
{
    (void)state;
    start(2);
    die(0);
    assert_int_equal(asked(2), 1);
    assert_int_equal(tried(), 2);
    assert_int_equal(asked(2), 1);
    assert_int_equal(tried(), 3);
    rig_later(1100);
    assert_int_equal(asked(2), 1);
    assert_int_equal(tried(), 5);
    rig_later(1100);
    assert_int_equal(asked(2), 1);
    assert_int_equal(tried(), 6);
    rig_later(1000);
    rise(0);
    assert_int_equal(asked(2), 0);
    assert_int_equal(asked(2), 0);
}

/* The one that tries has not come through yet: the others go on as before. */
static void one_tries(void **state)
{
    (void)state;
    start(2);
    die(0);
    asked(2);
    rig_later(1100);
    int hole = rig_listen("127.0.0.1", port[0], 0), waits = rig_client(), stuffed[8];
    for (unsigned i = 0; i < countof(stuffed); i++)
        stuffed[i] = sock_connect_from(
            &(struct addr){ .family = AF_INET, .port = port[0], .ip = { 127, 0, 0, 1 } },
            &(struct addr){ .family = 0 }, false);
    rig_say(waits, "GET http://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(asked(2), 1);
    rig_close(waits);
    for (unsigned i = 0; i < countof(stuffed); i++)
        close(stuffed[i]);
    rig_close(hole);
}

/* Those that refuse are tried all the same: it costs nothing, and one may be back. */
static void all_refuse(void **state)
{
    (void)state;
    start(2);
    die(0), die(1);
    for (unsigned i = 1; i <= 2; i++) {
        const char *said = rig_ask(rig_client(), "GET http://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_begins(said, "HTTP/1.1 503 ");
        assert_has(said, "parent_unavailable");
        assert_has(said, "next-hop=\"127.0.0.1:");
        assert_int_equal(tried(), 2 * i);
    }
    rise(1);
    assert_int_equal(asked(2), 1);
}

/* Nobody waits for one that does not answer when somebody has just done so. */
static void all_are_silent(void **state)
{
    (void)state;
    start(1);
    rig.snapshot->conf.timeouts.connect = 50;
    die(0);
    int hole = rig_listen("127.0.0.1", port[0], 0), stuffed[8], client = rig_client();
    for (unsigned i = 0; i < countof(stuffed); i++)
        stuffed[i] = sock_connect_from(
            &(struct addr){ .family = AF_INET, .port = port[0], .ip = { 127, 0, 0, 1 } },
            &(struct addr){ .family = 0 }, false);
    rig_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_later(60);
    assert_has(rig_hears(client), "parent_unavailable");
    u64 before = tried();
    assert_has(rig_ask(rig_client(), "GET http://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n"),
               "parent_unavailable");
    assert_int_equal(tried(), before);
    for (unsigned i = 0; i < countof(stuffed); i++)
        close(stuffed[i]);
    rig_close(hole);
}

/* One that ends a connection without an answer is there: it does not rest. What may be sent twice
 * goes to the next one, if there is one. */
static void one_that_does_not_answer(void **state)
{
    (void)state;
    start(2);
    for (int i = 0; i < 2; i++) {
        int client = rig_client(), fd;
        rig_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int k = 0; k < 2; k++) {
            fd = rig_accept(proxy[k]);
            assert_begins(rig_hears(fd), "GET http://a.test/ ");
            rig_close(fd);
        }
        assert_has(rig_hears(client), "upstream_closed");
    }
    int client = rig_client(), fd;
    rig_say(client, "POST http://a.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    fd = rig_accept(proxy[0]);
    rig_hears(fd);
    rig_close(fd);
    assert_has(rig_hears(client), "upstream_closed");
    assert_int_equal(asked(2), 0);
}

static void what_it_is_asked(void **state)
{
    (void)state;
    start(1);
    int client = rig_client(), fd;
    rig_say(client, "GET http://a.test/x?y HTTP/1.1\r\nHost: b\r\nProxy-Authorization: Basic x\r\n"
                    "Proxy-Connection: keep-alive\r\nAuthorization: Basic y\r\n\r\n");
    fd = rig_accept(proxy[0]);
    const char *heard = rig_hears(fd);
    assert_begins(heard, "GET http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\n");
    assert_has(heard, "\r\nVia: 1.1 ");
    assert_has(heard, "\r\nAuthorization: Basic y\r\n");
    assert_has_not(heard, "Proxy-");
    rig_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_begins(rig_hears(client), "HTTP/1.1 200 OK\r\n");
    /* another host, the same connection */
    rig_say(client, "OPTIONS http://b.test:8081 HTTP/1.1\r\nHost: b\r\n\r\n");
    assert_begins(rig_hears(fd), "OPTIONS http://b.test:8081 HTTP/1.1\r\nHost: b.test:8081\r\n");
    assert_int_equal(tried(), 1);
}

static void a_tunnel(void **state)
{
    (void)state;
    start(1);
    int client = rig_client(), fd;
    rig_say(client, "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\nUser-Agent: u\r\n"
                    "Proxy-Authorization: Basic x\r\n\r\nearly");
    fd = rig_accept(proxy[0]);
    const char *heard = rig_hears(fd);
    assert_begins(heard, "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\nUser-Agent: u\r\n");
    assert_has_not(heard, "Proxy-");
    assert_has_not(heard, "early");
    rig_say(fd, "HTTP/1.1 200 Go on\r\nX-Secret: of the parent\r\n\r\nhello");
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 200 Connection established\r\n");
    assert_has_not(said, "Secret");
    assert_has(said, "\r\n\r\nhello");
    assert_begins(rig_hears(fd), "early");
}

static void no_tunnel(void **state)
{
    (void)state;
    start(1);
    int client = rig_client(), fd;
    rig_say(client, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
    fd = rig_accept(proxy[0]);
    rig_hears(fd);
    rig_say(fd, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwho");
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 502 ");
    assert_has(said, "parent_refused");
    assert_has(said, "its answer was 407 Proxy Authentication Required\n");
    assert_has_not(said, "Proxy-Authenticate");
    assert_true(rig_ended(fd));
}

/* It wants a password of us, and not of the client. */
static void no_407_for_the_client(void **state)
{
    (void)state;
    start(1);
    int client = rig_client(), fd;
    rig_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a\r\n\r\n");
    fd = rig_accept(proxy[0]);
    rig_say(fd, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 502 ");
    assert_has(said, "parent_refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(the_first_one),    RIG_TEST(a_dead_one_rests),
        RIG_TEST(one_tries),        RIG_TEST(all_refuse),
        RIG_TEST(all_are_silent),   RIG_TEST(one_that_does_not_answer),
        RIG_TEST(what_it_is_asked), RIG_TEST(a_tunnel),
        RIG_TEST(no_tunnel),        RIG_TEST(no_407_for_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
