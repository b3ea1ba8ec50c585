/* The servers of a pool take turns; one that cannot be connected to costs no request anything but
 * the attempt, and for a second not even that. */
#include "reverse/balance.h"

#include "tests/unit/core/help_engine.h"

enum { SERVERS = 3 };

static int origin[SERVERS];
static u16 port[SERVERS];

/* A pool of `n` origins, all alive. */
static void start(unsigned n)
{
    char text[500];
    struct text t = text_in(text, sizeof text);
    text_lit(&t, "listener main { bind 127.0.0.1:8080; mode reverse; routes r; }\n"
                 "routes r { route rest { to pool p; } }\npool p {");
    for (unsigned i = 0; i < n; i++) {
        origin[i] = rig_origin();
        port[i] = rig.port;
        text_fmt(&t, " server 127.0.0.1:%u;", port[i]);
    }
    text_lit(&t, " }\n");
    text[t.n] = 0;
    rig_configure(text);
}

static void die(unsigned i)
{
    rig_close(origin[i]);
    origin[i] = -1;
}

/* Who of n gets it; n: nobody. */
static unsigned asked(unsigned n)
{
    return rig_comes_to(origin, n, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
}

static void in_turn(void **state)
{
    (void)state;
    start(3);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(asked(3), i % 3);
}

/* Its turn falls to the one behind it. */
static void a_dead_one_is_passed_over(void **state)
{
    (void)state;
    start(3);
    die(0);
    assert_int_equal(asked(3), 1);
    assert_int_equal(rig_count(STAT_upstream_retries_total), 1);
    assert_int_equal(asked(3), 1);
    assert_int_equal(asked(3), 2);
    assert_int_equal(asked(3), 1); /* its turn again, and nobody tries */
    assert_int_equal(rig_count(STAT_upstream_retries_total), 1);
    rig_later(1100);
    asked(3), asked(3);
    assert_int_equal(asked(3), 1);
    assert_int_equal(rig_count(STAT_upstream_retries_total), 2);
}

static void back_after_a_second(void **state)
{
    (void)state;
    start(2);
    u16 of_first = port[0];
    die(0);
    assert_int_equal(asked(2), 1);
    origin[0] = rig_listen("127.0.0.1", of_first, 64);
    assert_int_equal(asked(2), 1);
    assert_int_equal(asked(2), 1); /* it rests still */
    rig_later(1100);
    assert_int_equal(asked(2), 1);
    assert_int_equal(asked(2), 0);
}

/* Each is tried, once. */
static void all_dead(void **state)
{
    (void)state;
    start(3);
    for (unsigned i = 0; i < 3; i++)
        die(i);
    for (unsigned i = 1; i <= 2; i++) {
        const char *said = rig_ask(rig_client(), "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_begins(said, "HTTP/1.1 502 ");
        assert_has(said, "connect_refused");
        assert_int_equal(rig_count(STAT_upstream_retries_total), 2 * i);
    }
}

/* One that answers badly is there. */
static void only_what_cannot_be_connected_to(void **state)
{
    (void)state;
    start(2);
    int client = rig_client(), fd;
    rig_say(client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    fd = rig_accept(origin[0]);
    rig_hears(fd);
    rig_close(fd);
    assert_has(rig_hears(client), "upstream_closed");
    assert_int_equal(asked(2), 1);
    assert_int_equal(asked(2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(in_turn),
        RIG_TEST(a_dead_one_is_passed_over),
        RIG_TEST(back_after_a_second),
        RIG_TEST(all_dead),
        RIG_TEST(only_what_cannot_be_connected_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
