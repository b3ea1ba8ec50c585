/*
 * One configuration after another under what runs: an exchange ends with the one it began with,
 * what waits has the newest, and an old one is freed when nobody needs it any more.
 */
#include "core/adopt.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "core/report/logrec.h"
#include "core/common/registry.h"
#include "core/codec/server.h"
#include "core/thread.h"
#include "core/exchange/tunnel.h"
#include "io/offload.h"
#include "io/sock.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_clock.h"

#define GET(path) "GET http://one.test" path " HTTP/1.1\r\nHost: one.test\r\n\r\n"
#define LOCAL "GET /here HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* ---- which snapshots are alive ---- */

static const struct registry_kind alive = { .name = "alive", .size = 1 };

static struct snapshot *marked(struct snapshot *s)
{
    static u32 serial;
    char area[16];
    struct text name = text_in(area, sizeof area);
    text_u64(&name, ++serial);
    registry_get(rig.engine.registry, s, &alive, text_slice(&name));
    return s;
}

/* The test role's, but the listener's address is another one: who came by the old one is at an
 * address that nobody serves. */
static struct snapshot *elsewhere(void)
{
    static struct listen_addr other = { .slot = 1 };
    struct snapshot *s = marked(rig_snapshot());
    s->listeners[0].at = &other;
    snapshot_index(s);
    return s;
}

static u32 living(void)
{
    return registry_count(rig.engine.registry, &alive);
}

/* Without offload threads the dead wait for the end: these do not. */
static void publish(struct snapshot *s)
{
    if (rig.engine.offload == NULL)
        rig.engine.offload = offload_new(1, 16);
    rig_publish(s);
}

static void await_living(u32 n)
{
    for (int i = 0; i < 5000 && living() != n; i++)
        usleep(1000);
    assert_int_equal(living(), n);
}

static int tear_down(void **state)
{
    if (rig.engine.offload) {
        offload_end(rig.engine.offload);
        offload_free(rig.engine.offload);
        rig.engine.offload = NULL;
    }
    return rig_tear_down(state);
}
#define ADOPT_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, tear_down)
#define ADOPT_TEST_TWO(f) cmocka_unit_test_setup_teardown(f, rig_set_up_two, tear_down)

/* ---- one worker, turned by hand ---- */

static void an_exchange_keeps_its_own(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    publish(marked(rig_snapshot()));
    struct snapshot *first = rig.snapshot;
    rig_say(client, GET("/x"));
    int upstream = rig_accept(origin);
    for (int i = 0; i < 3; i++)
        publish(marked(rig_snapshot()));
    assert_ptr_equal(rig_exchange()->snap, first);
    assert_ptr_equal(rig.worker->snapshot, rig.snapshot);
    await_living(2); /* its own and the newest; those between are gone */
    rig_say(upstream, OK);
    assert_has(rig_hears(client), "\r\n\r\nok");
    await_living(1);
    rig_say(client, GET("/y"));
    assert_ptr_equal(rig_exchange()->snap, rig.snapshot);
    rig_close(client);
    rig_turn();
}

/* What was begun under the old limits is judged by them, what comes after by the new ones. */
static void limits_and_timeouts_hold_for_the_next(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    rig_say(client,
            "POST http://one.test/x HTTP/1.1\r\nHost: one.test\r\nContent-Length: 8\r\n\r\n");
    int upstream = rig_accept(origin);
    struct snapshot *s = rig_snapshot();
    s->conf.limits.body = 5;
    s->conf.timeouts.response = 1000;
    s->conf.timeouts.idle = 3000;
    publish(s);
    rig_say(client, "12345678");
    rig_later(2000);
    rig_say(upstream, OK);
    assert_has(rig_hears(client), "\r\n\r\nok");
    rig_say(client, GET("/y"));
    rig_later(1500);
    assert_has(rig_hears(client), "504 ");
    rig_say(client,
            "POST http://one.test/x HTTP/1.1\r\nHost: one.test\r\nContent-Length: 8\r\n\r\n");
    assert_has(rig_hears(client), "413 ");
    int idle = rig_client();
    assert_has(rig_ask(idle, LOCAL), "/here");
    rig_later(4000);
    assert_true(rig_ended(idle));
}

static void memory_is_divided_anew(void **state)
{
    (void)state;
    struct snapshot *s = rig_snapshot();
    s->conf.limits.memory = 8 << 20;
    publish(s);
    assert_int_equal(rig.worker->memory, 8 << 20);
    assert_true(rig.worker->bufs.budget <= 8 << 20);
}

/* ---- a listener that vanishes ---- */

static void idle_clients_of_it_are_closed(void **state)
{
    (void)state;
    int fresh = rig_client(), idle = rig_client();
    assert_has(rig_ask(idle, LOCAL), "/here");
    publish(marked(rig_snapshot())); /* still there: they stay */
    assert_false(rig_ended(fresh) || rig_ended(idle));
    publish(elsewhere());
    rig_later(8);
    assert_true(rig_ended(fresh) && rig_ended(idle));
    await_living(1);
}

/* Not all in one turn; who asks before it is his turn is served. */
static void many_are_closed_one_after_another(void **state)
{
    (void)state;
    enum { MANY = 90 };
    int client[MANY];
    for (unsigned i = 0; i < MANY; i++)
        client[i] = rig_client();
    clock_hold(true);
    publish(marked(rig_snapshot()));
    publish(elsewhere());
    rig_later(7); /* one tick of 4 ms is over, wherever in a tick it began, and not the second */
    u32 left = (u32)rig_count(STAT_connections_open);
    assert_true(left > 0 && left < MANY);
    const char *said = rig_ask(client[MANY - 1], LOCAL);
    assert_has(said, "\r\n\r\n/here");
    assert_has(said, "Connection: close\r\n");
    rig_later(8);
    assert_int_equal(rig_count(STAT_connections_open), 1); /* lingers */
    clock_hold(false);
    await_living(1);
}

static void who_has_begun_a_head_is_served_first(void **state)
{
    (void)state;
    int client = rig_client(), silent = rig_client();
    publish(marked(rig_snapshot()));
    rig_say(client, "GET /here HT");
    rig_say(silent, "G");
    publish(elsewhere());
    publish(elsewhere()); /* once more changes nothing */
    await_living(2);
    rig_say(client, "TP/1.1\r\nHost: a\r\n\r\n");
    const char *said = rig_hears(client);
    assert_has(said, "\r\n\r\n/here");
    assert_has(said, "Connection: close\r\n");
    assert_true(rig_ended(client));
    await_living(2);
    rig_close(silent); /* who never says more: the pin goes with the connection */
    rig_turn();
    await_living(1);
}

static void what_runs_there_ends_by_itself(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    rig_say(client, GET("/x"));
    int upstream = rig_accept(origin);
    publish(elsewhere());
    rig_say(upstream, OK);
    const char *said = rig_hears(client);
    assert_has(said, "\r\n\r\nok");
    assert_has(said, "Connection: close\r\n");
    assert_true(rig_ended(client));
}

/* The head went out before anybody knew: the connection ends behind the body, but for what has been
 * asked already. */
static void behind_a_body(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client(), asks = rig_client();
    rig_say(client, GET("/x"));
    int upstream = rig_accept(origin);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    rig_say(asks, GET("/x"));
    int second = rig_accept(origin);
    rig_say(second, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    rig_say(asks, LOCAL);
    publish(elsewhere());
    rig_say(upstream, "ok");
    rig_say(second, "ok");
    assert_has(rig_hears(client), "\r\n\r\nok");
    assert_true(rig_ended(client));
    const char *said = rig_hears(asks);
    assert_has(said, "Connection: close\r\n");
    assert_has(said, "\r\n\r\n/here");
    assert_true(rig_ended(asks));
}

/* An empty line behind the last request is no request, and keeps neither the connection nor the
 * configuration that knew its address. */
static void an_empty_line_behind_a_body(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    rig_say(client, GET("/x"));
    int upstream = rig_accept(origin);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    rig_say(client, "\r\n");
    publish(elsewhere());
    rig_say(upstream, "ok");
    assert_has(rig_hears(client), "\r\n\r\nok");
    rig_later(8);
    assert_true(rig_ended(client));
    await_living(1);
}

static void a_tunnel_keeps_none(void **state)
{
    (void)state;
    int origin = rig_origin(), client = rig_client();
    publish(marked(rig_snapshot()));
    rig_say(client, "CONNECT one.test:443 HTTP/1.1\r\nHost: one.test:443\r\n\r\n");
    int upstream = rig_accept(origin);
    assert_has(rig_hears(client), "200 ");
    publish(elsewhere());
    await_living(1);
    rig_say(client, "up");
    assert_string_equal(rig_hears(upstream), "up");
    rig_close(upstream);
    rig_turn();
}

/* ---- tunnels are decided again ---- */

#define CONNECT(host) "CONNECT " host ":443 HTTP/1.1\r\nHost: " host ":443\r\n\r\n"

static unsigned asked;

static struct ruling deny_two(const struct access_record *r)
{
    asked++;
    if (slice_is(access_record_string(r, STRING_TARGET), "two.test:443"))
        return (struct ruling){ .fault = FAULT_rule_denied, .rule = SLICE("no-more") };
    return (struct ruling){ .fault = FAULT_NONE };
}

static int tunnel_to(int origin, const char *connect, int *upstream)
{
    int client = rig_client();
    rig_say(client, connect);
    *upstream = rig_accept(origin);
    assert_has(rig_hears(client), "200 ");
    return client;
}

static void who_is_denied_now_gets_the_grace(void **state)
{
    (void)state;
    int origin = rig_origin(), up[2];
    int one = tunnel_to(origin, CONNECT("one.test"), &up[0]);
    int second = rig_listen("127.0.0.2", rig.port, 8);
    int two = tunnel_to(second, CONNECT("two.test"), &up[1]);
    rig.recheck = deny_two;
    publish(rig_snapshot());
    rig_later(4000);
    rig_say(two, "still");
    assert_string_equal(rig_hears(up[1]), "still");
    publish(rig_snapshot()); /* no new grace */
    rig_later(1500);
    assert_true(rig_ended(two) || rig_reset(two));
    assert_int_equal(rig_faults(FAULT_rule_denied), 1);
    rig_say(one, "on");
    assert_string_equal(rig_hears(up[0]), "on");
}

/* A tunnel that has been denied for a second. */
static int denied_tunnel(int *up)
{
    int origin = rig_listen("127.0.0.2", 0, 8);
    struct addr at;
    assert_true(sock_local(origin, &at));
    rig.port = at.port;
    int two = tunnel_to(origin, CONNECT("two.test"), up);
    rig.recheck = deny_two;
    publish(rig_snapshot());
    rig_later(1000);
    return two;
}

static void allowed_again_within_it(void **state)
{
    (void)state;
    int up, two = denied_tunnel(&up);
    rig.recheck = NULL;
    publish(rig_snapshot());
    rig_later(10000);
    rig_say(two, "on");
    assert_string_equal(rig_hears(up), "on");
}

/* By a rule's hours, say: then no configuration comes that would tell the tunnel. */
static void allowed_again_by_the_clock(void **state)
{
    (void)state;
    int up, two = denied_tunnel(&up);
    rig.recheck = NULL;
    rig_later(10000);
    rig_say(two, "on");
    assert_string_equal(rig_hears(up), "on");
}

/* The exchange began before, and is a tunnel after: it is decided again all the same. */
static void what_becomes_a_tunnel_later(void **state)
{
    (void)state;
    int origin = rig_listen("127.0.0.2", 0, 8), client = rig_client();
    struct addr at;
    assert_true(sock_local(origin, &at));
    rig.port = at.port;
    rig.recheck = deny_two;
    must(send(client, CONNECT("two.test"), strlen(CONNECT("two.test")), 0) > 0);
    while (rig.worker->dials.live == 0)
        loop_turn(&rig.worker->loop, 0);
    adopt_publish(&rig.engine, rig.snapshot = rig_snapshot(), NULL);
    assert_has(rig_hears(client), "200 ");
    rig_later(6000);
    assert_true(rig_ended(client) || rig_reset(client));
    assert_int_equal(rig_faults(FAULT_rule_denied), 1);
}

/* More than a turn's share, and some end while the rest are looked at. */
static void in_shares_of_a_turn(void **state)
{
    (void)state;
    enum { TUNNELS = 90 };
    static int client[TUNNELS], up[TUNNELS];
    int origin = rig_origin();
    for (unsigned i = 0; i < TUNNELS; i++)
        client[i] = tunnel_to(origin, CONNECT("one.test"), &up[i]);
    asked = 0;
    rig.recheck = deny_two;
    adopt_publish(&rig.engine, rig.snapshot = rig_snapshot(), NULL);
    loop_turn(&rig.worker->loop, 0);
    assert_true(asked > 0 && asked < TUNNELS);
    for (unsigned i = 0; i < TUNNELS; i += 2) {
        rig_close(client[i]);
        rig_close(up[i]);
    }
    rig_turn();
    assert_true(asked >= TUNNELS / 2);
    assert_null(rig.worker->recheck_at);
    for (unsigned i = 1; i < TUNNELS; i += 2) {
        rig_close(client[i]);
        rig_close(up[i]);
    }
    rig_turn();
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* ---- threads ---- */

enum { ADOPTS = 1000 };

static int client_end[RIG_WORKERS], server_end[RIG_WORKERS];
static struct worker *running[RIG_WORKERS];
static _Atomic u32 published, answered;
static _Atomic bool over, origin_over; /* first nobody asks, then nobody answers */

static void start(struct worker *w)
{
    struct addr peer = { .family = AF_INET };
    client_accept(w, rig.listener->at, server_end[w->id], &peer);
}

static void nothing(struct worker *w)
{
    (void)w;
}

/* Asks one thing after another: by turns what the proxy answers itself, and what the origin does.
 */
static void *ask(void *end)
{
    int fd = *(int *)end;
    char area[4096];
    for (u32 i = 0; !atomic_load(&over); i++) {
        const char *what = i % 2 ? GET("/x") : LOCAL;
        must(send(fd, what, strlen(what), MSG_NOSIGNAL) == (ssize_t)strlen(what));
        struct pollfd p = { .fd = fd, .events = POLLIN };
        must(poll(&p, 1, 20000) == 1);
        ssize_t n = recv(fd, area, sizeof area - 1, 0);
        must(n > 12 && memcmp(area, "HTTP/1.1 200", 12) == 0);
        atomic_fetch_add(&answered, 1);
    }
    return NULL;
}

/* Answers each request when there has been another adoption since it came. */
static void *serve(void *listening)
{
    struct pollfd p[8] = { { .fd = *(int *)listening, .events = POLLIN } };
    unsigned n = 1;
    while (!atomic_load(&origin_over)) {
        poll(p, n, 10);
        if (n < 8 && (p[0].revents & POLLIN))
            p[n++] = (struct pollfd){ .fd = accept(p[0].fd, NULL, NULL), .events = POLLIN };
        for (unsigned i = 1; i < n; i++) {
            char area[4096];
            u32 before = atomic_load(&published);
            if (!(p[i].revents & POLLIN) || recv(p[i].fd, area, sizeof area, MSG_DONTWAIT) <= 0)
                continue;
            while (atomic_load(&published) == before && !atomic_load(&over))
                usleep(50);
            must(send(p[i].fd, OK, strlen(OK), MSG_NOSIGNAL) == (ssize_t)strlen(OK));
        }
    }
    for (unsigned i = 1; i < n; i++)
        close(p[i].fd);
    return NULL;
}

static void start_threads(void)
{
    rig.engine.offload = offload_new(1, 16);
    rig.engine.accepting.start = start;
    rig.engine.workers = running;
    for (u32 i = 0; i < RIG_WORKERS; i++) {
        int pair[2];
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        must(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0);
        client_end[i] = pair[0];
        server_end[i] = pair[1];
        must((running[i] = worker_new(&rig.engine, i)) != NULL);
    }
    for (u32 i = 0; i < RIG_WORKERS; i++)
        worker_start(running[i]);
}

static void end_threads(void)
{
    for (u32 i = 0; i < RIG_WORKERS; i++)
        worker_drain(running[i], DRAIN_NOW);
    for (u32 i = 0; i < RIG_WORKERS; i++)
        worker_join(running[i]);
    for (u32 i = 0; i < RIG_WORKERS; i++) {
        worker_free(running[i]);
        close(client_end[i]);
    }
    rig.engine.workers = rig.workers;
    rig.engine.accepting.start = nothing;
}

static void under_running_exchanges(void **state)
{
    (void)state;
    pthread_t self[RIG_WORKERS], origin;
    int listening = rig_origin();
    start_threads();
    for (u32 i = 0; i < RIG_WORKERS; i++)
        must(pthread_create(&self[i], NULL, ask, &client_end[i]) == 0);
    must(pthread_create(&origin, NULL, serve, &listening) == 0);
    for (u32 i = 0; i < ADOPTS; i++) {
        rig.snapshot = marked(rig_snapshot());
        adopt_publish(&rig.engine, rig.snapshot, NULL);
        while (!adopt_done(&rig.engine))
            usleep(20);
        atomic_fetch_add(&published, 1);
    }
    atomic_store(&over, true);
    for (u32 i = 0; i < RIG_WORKERS; i++)
        pthread_join(self[i], NULL);
    atomic_store(&origin_over, true);
    pthread_join(origin, NULL);
    await_living(1);
    assert_true(atomic_load(&answered) > 50);
    assert_true(atomic_load(&rig.snapshot->holders) == 1 + RIG_WORKERS);
    end_threads();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADOPT_TEST(an_exchange_keeps_its_own),
        ADOPT_TEST(limits_and_timeouts_hold_for_the_next),
        ADOPT_TEST(memory_is_divided_anew),
        ADOPT_TEST(idle_clients_of_it_are_closed),
        ADOPT_TEST(many_are_closed_one_after_another),
        ADOPT_TEST(who_has_begun_a_head_is_served_first),
        ADOPT_TEST(what_runs_there_ends_by_itself),
        ADOPT_TEST(behind_a_body),
        ADOPT_TEST(an_empty_line_behind_a_body),
        ADOPT_TEST(a_tunnel_keeps_none),
        ADOPT_TEST(who_is_denied_now_gets_the_grace),
        ADOPT_TEST(allowed_again_within_it),
        ADOPT_TEST(allowed_again_by_the_clock),
        ADOPT_TEST(what_becomes_a_tunnel_later),
        ADOPT_TEST(in_shares_of_a_turn),
        ADOPT_TEST_TWO(under_running_exchanges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
