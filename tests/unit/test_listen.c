/* Listening sockets: refused when held, handed over when another worker is idler, at rest when
 * there is no place or no descriptor, and recovering by themselves. */
#include "listen.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "core/adopt.h"
#include "core/codec/server.h"
#include "io/sock.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_memory.h"

static struct addr at;

/* A free port for the rig's one listener, opened for all workers. */
static void open_listener(void)
{
    char error[400];
    struct text t = text_in(error, sizeof error - 1);
    u16 port = rig.port;
    int fd = rig_origin();
    assert_true(addr_parse(SLICE("127.0.0.1"), &at));
    at.port = rig.port;
    rig.port = port;
    rig_close(fd);
    rig.at.addr = at;
    rig.listener->text = SLICE("127.0.0.1:PORT");
    rig.engine.accepting.stop = listen_stop;
    rig.engine.accepting.resume = listen_resume;
    for (u32 i = 0; i < rig.engine.nworkers; i++)
        rig.workers[i]->loop.wheel.on_expire[TIMER_ACCEPT] = listen_resume;
    void *opened[RIG_WORKERS] = { NULL };
    if (!listen_open(&rig.engine, rig.snapshot, NULL, opened, &t)) {
        error[t.n] = 0;
        fail_msg("%s", error);
    }
    for (u32 i = 0; i < rig.engine.nworkers; i++) {
        listen_prepare(rig.workers[i], opened[i]);
        listen_start(rig.workers[i]);
    }
}

static int clients[200];
static unsigned nclients;

static int connect_one(void)
{
    int fd = sock_connect(&at);
    assert_true(fd >= 0);
    clients[nclients++] = fd;
    return fd;
}

static int tear_down(void **state)
{
    while (nclients)
        close(clients[--nclients]);
    rig_turn();
    for (u32 i = 0; i < rig.engine.nworkers; i++)
        listen_stop(rig.workers[i]);
    return rig_tear_down(state);
}

#define LISTEN_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, tear_down)
#define LISTEN_TEST_TWO(f) cmocka_unit_test_setup_teardown(f, rig_set_up_two, tear_down)
#define GET "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"

static void clients_are_served(void **state)
{
    (void)state;
    open_listener();
    for (int i = 0; i < 5; i++)
        assert_has(rig_ask(connect_one(), GET), "\r\n\r\n/x");
    assert_int_equal(atomic_load(&rig.engine.clients), 5);
    struct addr peer = rig_client_conn()->peer;
    assert_int_equal(peer.ip[0], 127);
    assert_int_not_equal(peer.port, 0);
}

/* Another program holds the port, or another daemon's group: both are reported, with a name. */
static void a_port_that_is_held(void **state)
{
    (void)state;
    char error[400], process[40];
    struct text t = text_in(error, sizeof error - 1);
    struct sock_listen group = { .reuse_port = true };
    assert_true(addr_parse(SLICE("127.0.0.1"), &group.addr));
    int fd = sock_listen(&group, 1);
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&rig.at.addr, (struct sockaddr *)&ss);
    rig.listener->text = SLICE("127.0.0.1:PORT");
    void *opened[RIG_WORKERS] = { NULL };
    assert_false(listen_open(&rig.engine, rig.snapshot, NULL, opened, &t));
    error[t.n] = 0;
    assert_begins(error, "cannot listen on 127.0.0.1:PORT: Address already in use");
    snprintf(process, sizeof process, "(process %d)", (int)getpid());
    assert_has(error, ", held by ");
    assert_has(error, process);
    close(fd);
}

/* At the limit new clients wait in the kernel's queue; nothing spins, and they are served later. */
static void at_the_limit_of_clients(void **state)
{
    (void)state;
    open_listener();
    rig.engine.max_clients = 2;
    int a = connect_one(), b = connect_one(), c = connect_one();
    assert_has(rig_ask(a, GET), "/x");
    assert_has(rig_ask(b, GET), "/x");
    assert_string_equal(rig_ask(c, GET), "");
    assert_true(rig.worker->accept_paused);
    assert_int_equal(rig_count(STAT_accept_paused_total), 1);
    close(a);
    clients[0] = dup(b);
    rig_turn();
    rig_later(30);
    rig_later(30);
    assert_has(rig_hears(c), "\r\n\r\n/x");
    assert_has(rig_ask(b, GET), "/x");
    assert_false(rig.worker->accept_paused);
}

static void out_of_descriptors(void **state)
{
    (void)state;
    struct rlimit before, none;
    open_listener();
    int a = connect_one(), b = connect_one();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(send(a, GET, strlen(GET), 0), strlen(GET));
    for (int i = 0; i < 5; i++)
        loop_turn(&rig.worker->loop, 0);
    assert_true(rig.worker->accept_paused);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    rig_later(30);
    assert_has(rig_hears(a), "\r\n\r\n/x");
    assert_has(rig_ask(b, GET), "/x");
}

/* An idle connection gives way to a client for whom there is no descriptor, but for the last. */
static void idle_connections_give_way_to_a_client(void **state)
{
    (void)state;
    struct rlimit before, none;
    int origin = rig_origin(), client[2], upstream[2];
    open_listener();
    for (int i = 0; i < 2; i++) {
        client[i] = connect_one();
        rig_say(client[i], "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\n\r\n");
        upstream[i] = rig_accept(origin);
    }
    for (int i = 0; i < 2; i++)
        rig_say(upstream[i], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(rig_count(STAT_upstream_idle), 2);
    connect_one();
    connect_one();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 5; i++)
        loop_turn(&rig.worker->loop, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(rig.worker->accept_paused);
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
}

/* The socket that listens at `at`. */
static int listening(void)
{
    for (int fd = 3; fd < 200; fd++) {
        struct addr local;
        int yes = 0;
        socklen_t n = sizeof yes;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes &&
            sock_local(fd, &local) && local.port == at.port)
            return fd;
    }
    fail_msg("nobody listens");
    return -1;
}

/* A failure that has nothing to do with descriptors, and that the kernel announces again and again:
 * this one even to who asks for no event. */
static void accept_fails_whatever_the_cause(void **state)
{
    (void)state;
    open_listener();
    int fd = listening();
    assert_int_equal(shutdown(fd, SHUT_RD), 0);
    rig_turn(); /* until nothing happens any more */
    assert_true(rig.worker->accept_paused);
    assert_int_equal(rig_count(STAT_accept_paused_total), 1);
    u64 told = rig.worker->limited_ms[LIMITED_DESCRIPTORS];
    assert_true(told != 0);
    rig_later(30);
    assert_int_equal(rig_count(STAT_accept_paused_total), 2);
    assert_int_equal(rig.worker->limited_ms[LIMITED_DESCRIPTORS], told);
    assert_int_equal(listen(fd, 1), 0);
    rig_later(30);
    assert_false(rig.worker->accept_paused);
    assert_has(rig_ask(connect_one(), GET), "\r\n\r\n/x");
}

/* A worker that is clearly busier than another one hands new clients over. */
static void handed_over(void **state)
{
    (void)state;
    open_listener();
    struct worker *busy = rig.workers[0], *idle = rig.workers[1];
    atomic_store(&busy->open, 1000);
    unsigned here = 0;
    for (int i = 0; i < 20; i++)
        connect_one();
    rig_turn();
    here = atomic_load(&busy->open) - 1000;
    atomic_store(&busy->open, here);
    assert_int_equal(here, 0);
    assert_int_equal(atomic_load(&idle->open), 20);
    assert_int_equal(atomic_load(&rig.engine.clients), 20);
    assert_true(rig_count(STAT_connections_handed_over_total) > 0);
    assert_has(rig_ask(clients[0], GET), "/x");
}

/* No memory for the call: the busier worker serves the client itself. */
static void not_handed_over_without_memory(void **state)
{
    (void)state;
    open_listener();
    listen_stop(rig.workers[1]); /* so that the first one accepts */
    atomic_store(&rig.worker->open, 1000);
    connect_one();
    memory_refuse(1, false);
    rig_turn();
    assert_int_equal(memory_relent(), 1);
    assert_int_equal(atomic_fetch_sub(&rig.worker->open, 1000), 1001);
    assert_has(rig_ask(clients[0], GET), "/x");
}

/* ---- another configuration ---- */

static struct listen_addr second = { .slot = 1 };

/* The rig's listener as it is, with a second one if wanted. */
static struct snapshot *with_second(bool wanted)
{
    struct snapshot *s = rig_snapshot();
    struct listener *l = arena_zalloc(&s->arena, 2 * sizeof *l);
    l[0] = l[1] = s->listeners[0];
    l[1].at = &second;
    l[1].text = SLICE("second");
    s->listeners = l;
    s->nlisteners = wanted ? 2 : 1;
    snapshot_index(s);
    return s;
}

static void publish(struct snapshot *s)
{
    char error[400];
    struct text t = text_in(error, sizeof error - 1);
    void *opened[RIG_WORKERS] = { NULL };
    rig.engine.accepting.change = listen_change;
    assert_true(listen_open(&rig.engine, s, rig.snapshot, opened, &t));
    adopt_publish(&rig.engine, s, opened);
    rig.snapshot = s;
    rig.listener = &s->listeners[0];
}

static int connect_to(const struct addr *a)
{
    int fd = sock_connect(a);
    assert_true(fd >= 0);
    clients[nclients++] = fd;
    return fd;
}

/* At the same port: `at` is held by this process already, and is no stranger's. */
static void open_second(void)
{
    open_listener();
    second.addr = at;
    assert_true(addr_parse(SLICE("127.0.0.2"), &second.addr));
    second.addr.port = at.port;
    publish(with_second(true));
}

static void an_address_comes_and_goes(void **state)
{
    (void)state;
    open_second();
    rig_turn();
    assert_has(rig_ask(connect_to(&second.addr), GET), "/x");
    assert_has(rig_ask(connect_one(), GET), "/x");
    int waits = connect_to(&second.addr);
    assert_int_equal(send(waits, GET, strlen(GET), 0), strlen(GET));
    publish(with_second(false));
    assert_has(rig_hears(waits), "\r\n\r\n/x"); /* it was in the queue, and has asked */
    rig_later(8);
    assert_true(rig_ended(waits) && rig_ended(clients[0]));
    int late = connect_to(&second.addr);
    struct pollfd p = { .fd = late, .events = POLLOUT };
    poll(&p, 1, 1000);
    assert_int_equal(sock_connect_error(late), ECONNREFUSED);
    assert_has(rig_ask(clients[1], GET), "/x");
    assert_has(rig_ask(connect_one(), GET), "/x");
}

/* One that cannot be opened: nothing of the others stays open. */
static void all_or_nothing(void **state)
{
    (void)state;
    char error[400];
    struct text t = text_in(error, sizeof error - 1);
    void *opened[RIG_WORKERS] = { NULL };
    open_listener();
    int holder = rig_listen("127.0.0.2", 0, 1);
    assert_true(sock_local(holder, &second.addr));
    struct snapshot *s = with_second(true);
    assert_false(listen_open(&rig.engine, s, rig.snapshot, opened, &t));
    error[t.n] = 0;
    assert_begins(error, "cannot listen on second: Address already in use");
    for (u32 i = 0; i < RIG_WORKERS; i++)
        assert_null(opened[i]);
    snapshot_free(s);
    assert_has(rig_ask(connect_one(), GET), "/x");
}

/* The first worker has adopted, accepts at the new address, and hands the client to one whose call
 * to adopt is still on its way. */
static void handed_to_one_who_does_not_know_the_address(void **state)
{
    (void)state;
    rig.engine.nworkers = 1;
    open_second();
    rig.engine.nworkers = 2;
    atomic_fetch_add(&rig.snapshot->holders, 1); /* what publishing to both of them gives it */
    atomic_store(&rig.workers[0]->open, 1000);
    int client = connect_to(&second.addr);
    loop_turn(&rig.workers[0]->loop, 0);
    loop_turn(&rig.workers[0]->loop, 0);
    atomic_fetch_sub(&rig.workers[0]->open, 1000);
    assert_ptr_not_equal(rig.workers[1]->snapshot, rig.snapshot);
    assert_has(rig_ask(client, GET), "\r\n\r\n/x");
    assert_int_equal(atomic_load(&rig.workers[1]->open), 1);
    assert_ptr_equal(rig.workers[1]->snapshot, rig.snapshot);
}

/* What has connected before the drain is still accepted. */
static void stopping(void **state)
{
    (void)state;
    open_listener();
    rig_turn();
    int a = connect_one();
    assert_int_equal(send(a, GET, strlen(GET), 0), strlen(GET));
    listen_stop(rig.worker);
    assert_null(rig.worker->accept);
    assert_has(rig_hears(a), "\r\n\r\n/x");
    int late = sock_connect(&at);
    struct pollfd p = { .fd = late, .events = POLLOUT };
    poll(&p, 1, 1000);
    assert_int_equal(sock_connect_error(late), ECONNREFUSED);
    close(late);
    listen_stop(rig.worker); /* once more does nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTEN_TEST(clients_are_served),
        LISTEN_TEST(a_port_that_is_held),
        LISTEN_TEST(at_the_limit_of_clients),
        LISTEN_TEST(out_of_descriptors),
        LISTEN_TEST(idle_connections_give_way_to_a_client),
        LISTEN_TEST(accept_fails_whatever_the_cause),
        LISTEN_TEST_TWO(handed_over),
        LISTEN_TEST_TWO(not_handed_over_without_memory),
        LISTEN_TEST(stopping),
        LISTEN_TEST_TWO(an_address_comes_and_goes),
        LISTEN_TEST_TWO(all_or_nothing),
        LISTEN_TEST_TWO(handed_to_one_who_does_not_know_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
