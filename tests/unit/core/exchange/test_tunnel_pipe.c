/* Long flows that move to a pipe: what goes through it, its end, its time, and that it goes back. */
#include "core/exchange/tunnel.h"

#include <sys/socket.h>
#include <unistd.h>

#include "io/pipe.h"
#include "tests/unit/core/exchange/help_tunnel.h"

static char bulk[100000];

/* `total` numbered bytes through the tunnel, sent as fast as it takes them, read as they come. */
static void flow(int from, int to, size_t total)
{
    static unsigned char out[1 << 18], in[1 << 18];
    size_t sent = 0, got = 0;
    while (got < total) {
        for (size_t i = 0; i < sizeof out; i++)
            out[i] = (unsigned char)((sent + i) * 31 >> 3);
        size_t most = total - sent < sizeof out ? total - sent : sizeof out;
        ssize_t n = most ? send(from, out, most, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        loop_turn(&rig.worker->loop, 0);
        while ((n = recv(to, in, sizeof in, 0)) > 0) {
            for (ssize_t i = 0; i < n; i += 97)
                assert_int_equal(in[i], (unsigned char)((got + (size_t)i) * 31 >> 3));
            got += (size_t)n;
        }
    }
    assert_int_equal(got, total);
}

static void a_long_flow_moves_to_a_pipe(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 1);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    rig_say(client, "the other way goes on as it was");
    assert_string_equal(rig_hears(upstream), "the other way goes on as it was");
    flow(client, upstream, 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 2);
    /* Nothing moved for a while: pipes are few and go back. */
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
    flow(upstream, client, 1 << 20);
    shutdown(upstream, SHUT_WR);
    assert_true(rig_ended(client));
}

static void an_end_through_the_pipe(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    rig_say(upstream, "last words");
    shutdown(upstream, SHUT_WR);
    assert_string_equal(rig_hears(client), "last words");
    assert_true(rig_ended(client));
    rig_close(client);
    rig_turn();
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
}

/* A byte every second and a half, for that many of them: the pipe is never at rest. */
static void trickle_through_the_pipe(unsigned seconds)
{
    for (unsigned ms = 0; ms < seconds * 1000; ms += 1500) {
        rig_later(1500);
        rig_say(upstream, "x");
        assert_string_equal(rig_hears(client), "x");
        assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    }
}

static void lived_too_long_in_a_pipe(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_lifetime = 60000;
    rig.snapshot->conf.timeouts.tunnel_idle = UINT32_MAX;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    trickle_through_the_pipe(58);
    rig_later(1600);
    assert_true(rig_ended(client));   /* a socket pair knows no reset */
    assert_true(rig_reset(upstream)); /* bytes are under way: no orderly end */
    assert_int_equal(rig_faults(FAULT_tunnel_lifetime), 1);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
}

/* What goes through the pipe keeps the tunnel alive; the pipe's rest does not. */
static void idle_too_long_in_a_pipe(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_idle = 60000;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    trickle_through_the_pipe(70);
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
    rig_later(57000);
    assert_false(rig_ended(client));
    rig_later(2000);
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_tunnel_idle_timeout), 1);
}

/* Sends from the origin until nothing goes any more; how much went. */
static size_t stuff(void)
{
    size_t sent = 0;
    memset(bulk, 'b', sizeof bulk);
    for (unsigned stuck = 0; stuck < 10;) { /* what is under way may need a moment */
        ssize_t n = send(upstream, bulk, sizeof bulk, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        stuck = n > 0 ? 0 : stuck + 1;
        rig_turn();
        usleep(n > 0 ? 0 : 500);
    }
    return sent;
}

/* A pipe whose bytes the sink does not take is not at rest. */
static void a_pipe_that_is_not_empty_stays(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    size_t sent = stuff(), got = 0;
    rig_later(2100);
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    while (got < sent) {
        rig_turn();
        ssize_t n = recv(client, bulk, sizeof bulk, 0);
        assert_int_not_equal(n, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, sent);
    rig_later(2100);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
}

/* Nor does it outlive the tunnel's time. */
static void lived_too_long_with_a_full_pipe(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_lifetime = 60000;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    stuff();
    for (unsigned i = 0; i < 50; i++) /* real time goes by, too */
        rig_later(1000);
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    rig_later(10100);
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
    assert_int_equal(atomic_load(&rig.engine.pipes), 0);
    assert_int_equal(rig_faults(FAULT_tunnel_lifetime), 1);
}

static void resets_pass_through_the_pipe(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    flow(upstream, client, 12 << 20);
    assert_int_equal(atomic_load(&rig.engine.pipes), 1);
    sock_abort(upstream);
    rig_close(upstream);
    assert_true(rig_reset(client));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* Spliced or copied, each direction counts for itself. */
static void what_went_through_the_pipe_is_counted(void **state)
{
    (void)state;
    rig.snapshot->conf.log_wants = WANT_RECORD;
    open_tunnel(CONNECT);
    flow(upstream, client, 12 << 20);
    flow(client, upstream, 10 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 2);
    assert_int_equal(rig_count(STAT_tunnel_bytes_to_client), 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_bytes_from_client), 10 << 20);
    rig_close(client);
    rig_close(upstream);
    rig_turn();
    const struct access_record *r = (const void *)ring_peek(rig.worker->log).p;
    assert_non_null(r);
    assert_int_equal(r->bytes_in, 10 << 20);
    assert_int_equal(r->bytes_out, 12 << 20);
    assert_int_equal(rig_count(STAT_bytes_from_clients_total), (10 << 20) + strlen(CONNECT));
    assert_int_equal(rig_count(STAT_bytes_to_clients_total), (12 << 20) + strlen(OPENED));
}

static void no_pipe_left(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    atomic_store(&rig.engine.pipes, PIPE_MOST);
    flow(upstream, client, 12 << 20);
    assert_int_equal(rig_count(STAT_tunnel_spliced_total), 0);
    assert_int_equal(atomic_load(&rig.engine.pipes), PIPE_MOST);
    atomic_store(&rig.engine.pipes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_long_flow_moves_to_a_pipe),
        RIG_TEST(an_end_through_the_pipe),
        RIG_TEST(lived_too_long_in_a_pipe),
        RIG_TEST(idle_too_long_in_a_pipe),
        RIG_TEST(a_pipe_that_is_not_empty_stays),
        RIG_TEST(lived_too_long_with_a_full_pipe),
        RIG_TEST(resets_pass_through_the_pipe),
        RIG_TEST(what_went_through_the_pipe_is_counted),
        RIG_TEST(no_pipe_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
