/* One event, one expiry: it goes to whoever the connection serves at that moment. */
#include "core/dispatch.h"

#include <unistd.h>

#include "core/target.h"
#include "core/xchg.h"
#include "help_engine.h"

static struct target *target_of(const char *name)
{
    struct host h;
    assert_int_equal(host_parse(slice_of(name), &h), FAULT_NONE);
    return target_get(rig.worker, &h, 80);
}

/* The same connection in three lives, an event in each. */
static void events(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    struct conn *conn = rig_client_conn();
    assert_int_equal(conn->serves, CONN_HEAD);
    rig_say(client, "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\n\r\n");
    assert_int_equal(conn->serves, CONN_EXCHANGE);
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(conn->serves, CONN_HEAD);
    rig_say(client, "CONNECT one.test:80 HTTP/1.1\r\nHost: one.test:80\r\n\r\n");
    assert_int_equal(conn->serves, CONN_TUNNEL);
    rig_accept(origin);
    /* The first upstream connection rests; an event of it ends it. */
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
    rig_say(upstream, "?");
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
}

static void an_idle_one_expires(void **state)
{
    (void)state;
    int other;
    struct target *t = target_of("a.test");
    struct conn *c = rig_conn(CONN_IDLE, &other);
    rig_turn();
    c->serves = CONN_EXCHANGE;
    target_busy(rig.worker, t);
    target_rest(t);
    idle_give(t, c);
    target_put(rig.worker, &t);
    conn_expired(&c->timer);
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    assert_true(rig_ended(other));
}

/* Exchanges, dials and tunnels have timers of their own: one left over on a connection does
 * nothing. */
static void a_timer_that_means_nothing(void **state)
{
    (void)state;
    int other;
    struct conn *c = rig_conn(CONN_DIALLING, &other);
    conn_expired(&c->timer);
    c->serves = CONN_TUNNEL;
    conn_expired(&c->timer);
    assert_true(c->stream.io.fd >= 0);
    conn_close(c);
}

static void a_lingering_one_expires(void **state)
{
    (void)state;
    int client = rig_client();
    struct conn *c = rig_client_conn();
    c->serves = CONN_LINGER;
    conn_expired(&c->timer);
    assert_true(rig_ended(client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(events),
        RIG_TEST(an_idle_one_expires),
        RIG_TEST(a_timer_that_means_nothing),
        RIG_TEST(a_lingering_one_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
