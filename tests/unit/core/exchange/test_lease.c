/* A role that counts: each server and each limit that an exchange was given ends once, whatever
 * became of it; and a stage that parked is resumed, not run again. */
#include "core/exchange/lease.h"

#include <sys/socket.h>

#include "core/codec/server.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_memory.h"

enum { SERVERS = 3 };

static struct counted {
    unsigned given, told;
    struct outcome how;
} server[SERVERS], route;
static u16 port[SERVERS];
static unsigned nservers, asked_for_next;
static int client, origin, upstream;

static void ended(void *object, const struct outcome *how)
{
    struct counted *c = object;
    c->told++;
    c->how = *how;
}

static const struct lease_ops lease_ops = { "test", ended };

static enum verdict lead(struct xchg *x)
{
    struct counted *s = &server[x->attempts];
    if (x->attempts == 0) {
        assert_true(lease_take(x, &lease_ops, &route));
        route.given++;
    }
    lease_server(x, &lease_ops, s);
    s->given++;
    x->to = rig_to(&x->uri.host, port[x->attempts]);
    return PASS;
}

static bool next(struct xchg *x, enum fault why)
{
    asked_for_next++;
    assert_int_equal(fault_info(why)->whose, FAULT_OF_UPSTREAM);
    return x->attempts + 1u < nservers;
}

static const struct stage leading = { .name = "counting", .run = lead };
static struct role counting;

static int set_up(void **state)
{
    rig_set_up(state);
    memset(server, 0, sizeof server);
    memset(&route, 0, sizeof route);
    counting = *rig.listener->role;
    counting.where = &leading;
    counting.next = next;
    rig.listener->role = &counting;
    nservers = 1;
    asked_for_next = 0;
    origin = rig_origin();
    port[0] = rig.port;
    client = rig_client();
    return 0;
}

/* No lease is left that has not ended, and none has ended twice. */
static int tear_down(void **state)
{
    int r = rig_tear_down(state);
    for (unsigned i = 0; i < SERVERS; i++)
        r |= server[i].given != server[i].told;
    return r | (route.given != route.told);
}

#define LEASE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define ASK(method, more) method " http://one.test/ HTTP/1.1\r\nHost: one.test\r\n" more "\r\n"

static void ask(const char *request)
{
    rig_say(client, request);
    upstream = rig_accept(origin);
    rig_hears(upstream);
}

/* The first n servers are dead, the one behind them lives. */
static void dead_before(unsigned n)
{
    nservers = n + 1;
    port[n] = port[0];
    for (unsigned i = 0; i < n; i++) {
        int gone = rig_origin();
        port[i] = rig.port;
        rig_close(gone);
    }
}

static void it_went_well(void **state)
{
    (void)state;
    ask(ASK("GET", ""));
    assert_int_equal(server[0].told, 0);
    rig_say(upstream, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_begins(rig_hears(client), "HTTP/1.1 204 ");
    assert_int_equal(server[0].told, 1);
    assert_int_equal(server[0].how.fault, FAULT_NONE);
    assert_int_equal(server[0].how.status, 204);
    assert_false(server[0].how.tunnel);
}

/* Whatever the method is: nothing has been sent. */
static void refused_twice_then_served(void **state)
{
    (void)state;
    dead_before(2);
    ask(ASK("POST", "Content-Length: 4\r\n") "body");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(server[i].told, 1);
        assert_int_equal(server[i].how.fault, FAULT_connect_refused);
    }
    assert_int_equal(server[2].told, 0);
    assert_int_equal(route.given, 1);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_has(rig_hears(client), "\r\n\r\nok");
    assert_int_equal(server[2].how.fault, FAULT_NONE);
    assert_int_equal(rig_count(STAT_upstream_retries_total), 2);
    rig_say(client, ASK("GET", "")); /* a new exchange begins anew */
    assert_int_equal(server[0].given, 2);
}

static void refused_by_all(void **state)
{
    (void)state;
    dead_before(2);
    nservers = 2;
    const char *heard = rig_ask(client, ASK("GET", ""));
    assert_begins(heard, "HTTP/1.1 502 ");
    assert_has(heard, "connect_refused");
    assert_int_equal(server[1].how.fault, FAULT_connect_refused);
    assert_int_equal(server[1].how.status, 502);
    assert_int_equal(asked_for_next, 2);
}

static void not_accepted_in_time_then_served(void **state)
{
    (void)state;
    struct addr a;
    int filler[3];
    dead_before(1);
    int full = rig_listen("127.0.0.1", port[0], 0);
    assert_true(full >= 0 && addr_parse(SLICE("127.0.0.1"), &a));
    a.port = port[0];
    for (unsigned i = 0; i < countof(filler); i++)
        filler[i] = sock_connect(&a);
    rig_say(client, ASK("GET", ""));
    rig_later(rig.snapshot->conf.timeouts.connect + 1000);
    assert_int_equal(server[0].how.fault, FAULT_connect_timeout);
    upstream = rig_accept(origin);
    assert_begins(rig_hears(upstream), "GET / ");
    rig_say(upstream, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_begins(rig_hears(client), "HTTP/1.1 204 ");
    for (unsigned i = 0; i < countof(filler); i++)
        close(filler[i]);
}

/* Something has been sent: nobody else is asked. */
static void closed_before_it_answered(void **state)
{
    (void)state;
    nservers = 2;
    port[1] = port[0];
    ask(ASK("POST", ""));
    rig_close(upstream);
    assert_begins(rig_hears(client), "HTTP/1.1 502 ");
    assert_int_equal(server[0].how.fault, FAULT_upstream_closed);
    assert_int_equal(asked_for_next, 0);
}

static void cut_in_the_middle(void **state)
{
    (void)state;
    ask(ASK("GET", ""));
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    rig_close(upstream);
    rig_turn();
    assert_int_equal(server[0].how.fault, FAULT_response_truncated);
    assert_int_equal(server[0].how.status, 200);
}

static void too_slow(void **state)
{
    (void)state;
    ask(ASK("GET", ""));
    rig_later(rig.snapshot->conf.timeouts.response + 1000);
    assert_int_equal(server[0].how.fault, FAULT_response_head_timeout);
}

static void the_client_goes(void **state)
{
    (void)state;
    struct linger abrupt = { 1, 0 };
    client = rig_client_tcp();
    ask(ASK("GET", ""));
    setsockopt(client, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    rig_close(client);
    rig_turn();
    assert_int_equal(server[0].how.fault, FAULT_client_reset);
}

static void the_worker_ends(void **state)
{
    (void)state;
    ask(ASK("GET", ""));
    rig.worker->draining = DRAIN_NOW;
    client_drain(rig.worker);
    rig_turn();
    rig.worker->draining = DRAIN_NO;
    assert_int_equal(server[0].how.fault, FAULT_draining);
}

static void without_memory(void **state)
{
    (void)state;
    rig_say(client, "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\n");
    rig_exhaust();
    rig_say(client, "\r\n");
    rig_later(rig.snapshot->conf.timeouts.body + 1000);
    rig_later(rig.snapshot->conf.timeouts.body + 1000);
    rig_relieve();
    rig_turn();
    assert_int_equal(server[0].told, 1);
    assert_int_equal(server[0].how.fault, FAULT_out_of_memory);
}

#define CONNECT "CONNECT one.test:80 HTTP/1.1\r\nHost: one.test:80\r\n\r\n"
#define UPGRADE ASK("GET", "Connection: upgrade\r\nUpgrade: websocket\r\n")

/* The tunnel has them then, to its own end. */
static void moved_to_a_tunnel(void **state)
{
    (void)state;
    for (unsigned upgrade = 0; upgrade < 2; upgrade++) {
        client = rig_client();
        rig_say(client, upgrade ? UPGRADE : CONNECT);
        upstream = rig_accept(origin);
        rig_hears(upstream);
        if (upgrade)
            rig_say(upstream, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                              "Upgrade: websocket\r\n\r\n");
        assert_begins(rig_hears(client), upgrade ? "HTTP/1.1 101 " : "HTTP/1.1 200 ");
        assert_int_equal(rig.worker->xchgs.live, 0);
        assert_int_equal(server[0].told, upgrade);
        rig_close(client);
        rig_close(upstream);
        rig_turn();
        assert_int_equal(server[0].told, upgrade + 1);
        assert_int_equal(route.told, upgrade + 1);
        assert_true(server[0].how.tunnel && server[0].how.fault == FAULT_NONE);
        assert_int_equal(server[0].how.status, upgrade ? 101 : 200);
    }
}

static void a_tunnel_that_is_cut(void **state)
{
    (void)state;
    rig_say(client, CONNECT);
    rig_accept(origin);
    rig_later(rig.snapshot->conf.timeouts.tunnel_idle + 1000);
    assert_int_equal(server[0].told, 1);
    assert_int_equal(server[0].how.fault, FAULT_tunnel_idle_timeout);
}

/* Whatever allocation is refused: the exchange has them still, or the tunnel. */
static void a_tunnel_without_memory(void **state)
{
    (void)state;
    unsigned refused;
    for (unsigned nth = 1; nth < 20; nth++) {
        client = rig_client();
        memory_refuse(nth, false);
        rig_say(client, CONNECT);
        refused = memory_relent();
        upstream = sock_accept(origin, &(struct addr){ 0 });
        if (upstream >= 0)
            close(upstream);
        rig_close(client);
        rig_turn();
        assert_int_equal(server[0].given, server[0].told);
        assert_int_equal(route.given, route.told);
        if (!refused)
            return;
    }
    fail_msg("there is no end to what it allocates");
}

static enum verdict take_all(struct xchg *x)
{
    unsigned n = 0;
    while (lease_take(x, &lease_ops, &route))
        n++;
    route.given += n;
    assert_int_equal(n, LEASES - 1);
    x->fault = FAULT_rule_denied;
    return REFUSED;
}

static void more_than_there_is_room_for(void **state)
{
    (void)state;
    static const struct stage taking = { .name = "taking", .run = take_all };
    static const struct stage *const stages[] = { &taking, NULL };
    counting.request_stages = stages;
    assert_begins(rig_ask(client, ASK("GET", "")), "HTTP/1.1 403 ");
    assert_int_equal(route.told, LEASES - 1);
}

/* ---- stages that park ---- */

static unsigned runs, resumes;
static bool may_go;
static struct xchg *parked;

static enum verdict park(struct xchg *x)
{
    runs++;
    parked = x;
    return PARKED;
}

static enum verdict go_on(struct xchg *x)
{
    (void)x;
    resumes++;
    return may_go ? PASS : PARKED;
}

static const struct stage parking = { .name = "parking", .run = park, .resume = go_on };
static const struct stage *const parking_twice[] = { &parking, &parking, NULL };

static void parked_is_resumed(void **state)
{
    (void)state;
    runs = resumes = 0;
    may_go = false;
    counting.request_stages = counting.response_stages = parking_twice;
    rig_say(client, ASK("GET", ""));
    rig_say(client, "GET "); /* whatever wakes it */
    assert_int_equal(runs, 1);
    may_go = true;
    xchg_wake(parked); /* the first goes on, the second parks */
    assert_int_equal(runs, 2);
    xchg_wake(parked);
    upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_int_equal(runs, 3);
    xchg_wake(parked);
    xchg_wake(parked);
    assert_begins(rig_hears(client), "HTTP/1.1 204 ");
    assert_int_equal(runs, 4);
    assert_true(resumes >= 4);
}

static void parked_for_ever(void **state)
{
    (void)state;
    runs = resumes = 0;
    may_go = false;
    counting.request_stages = parking_twice;
    rig_say(client, ASK("GET", ""));
    rig.worker->draining = DRAIN_NOW;
    client_drain(rig.worker);
    rig_turn();
    rig.worker->draining = DRAIN_NO;
    assert_int_equal(runs, 1);
    assert_int_equal(resumes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEASE_TEST(it_went_well),
        LEASE_TEST(refused_twice_then_served),
        LEASE_TEST(refused_by_all),
        LEASE_TEST(not_accepted_in_time_then_served),
        LEASE_TEST(closed_before_it_answered),
        LEASE_TEST(cut_in_the_middle),
        LEASE_TEST(too_slow),
        LEASE_TEST(the_client_goes),
        LEASE_TEST(the_worker_ends),
        LEASE_TEST(without_memory),
        LEASE_TEST(moved_to_a_tunnel),
        LEASE_TEST(a_tunnel_that_is_cut),
        LEASE_TEST(a_tunnel_without_memory),
        LEASE_TEST(more_than_there_is_room_for),
        LEASE_TEST(parked_is_resumed),
        LEASE_TEST(parked_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
