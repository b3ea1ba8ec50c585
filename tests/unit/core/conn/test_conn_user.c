/* One event, one expiry, one drain: it goes to whoever has the connection at that moment. */
#include <unistd.h>

#include "core/codec/server.h"
#include "core/conn/target.h"
#include "tests/unit/core/help_engine.h"

static struct target *target_of(const char *name)
{
    struct host h;
    assert_int_equal(host_parse(slice_of(name), &h), FAULT_NONE);
    return rig_target(rig.worker, &h, 80);
}

/* The same connection in four lives, an event in each. */
static void events(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    struct conn *conn = rig_client_conn();
    assert_user(conn, "new client");
    rig_say(client, "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\n\r\n");
    assert_user(conn, "exchange");
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_user(conn, "idle client");
    rig_say(client, "CONNECT one.test:80 HTTP/1.1\r\nHost: one.test:80\r\n\r\n");
    assert_user(conn, "tunnel");
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
    struct conn *c = rig_conn(&rig_begun, &other);
    rig_turn();
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
    static const struct conn_user no_timer = { "no timer", NULL, NULL, NULL, BUF_FOR_READING };
    int other;
    struct conn *c = rig_conn(&no_timer, &other);
    conn_expired(&c->timer);
    assert_true(c->stream.io.fd >= 0);
    conn_close(c);
}

static void a_lingering_one_expires(void **state)
{
    (void)state;
    int client = rig_client();
    h1_linger(rig_client_conn());
    conn_expired(&rig_client_conn()->timer);
    assert_true(rig_ended(client));
}

static unsigned drained;

static void note_drain(struct conn *c, enum drain_state how)
{
    drained = how;
    client_close(c);
}

/* The drain knows nobody: it asks the user of each client connection, which may close it. */
static void a_drain(void **state)
{
    (void)state;
    static const struct conn_user mine = { "mine", NULL, NULL, note_drain, BUF_FOR_READING };
    int client = rig_client();
    rig_client();
    conn_hand(rig_client_conn(), &mine, NULL);
    rig.worker->draining = DRAIN_NOW;
    client_drain(rig.worker);
    assert_int_equal(drained, DRAIN_NOW);
    assert_true(list_empty(&rig.worker->client_conns));
    assert_true(rig_ended(client));
    rig.worker->draining = DRAIN_NO;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(events),
        RIG_TEST(an_idle_one_expires),
        RIG_TEST(a_timer_that_means_nothing),
        RIG_TEST(a_lingering_one_expires),
        RIG_TEST(a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
