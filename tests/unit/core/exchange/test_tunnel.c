/* Two connections joined byte for byte: what rode behind the head, half-closes both ways, resets,
 * time, and what the client begins with. */
#include "core/exchange/tunnel.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/report/log_format.h"
#include "core/codec/server.h"
#include "tests/unit/core/exchange/help_tunnel.h"
#include "tests/unit/help_memory.h"

static char bulk[100000];

static void both_ways(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    assert_int_equal(rig.worker->xchgs.live, 0);
    for (int i = 0; i < 3; i++) {
        rig_say(client, "ping");
        assert_string_equal(rig_hears(upstream), "ping");
        rig_say(upstream, "pong.");
        assert_string_equal(rig_hears(client), "pong.");
    }
    assert_int_equal(rig.worker->bufs.in_use, 0); /* an idle one holds none */
    assert_int_equal(rig_count(STAT_tunnel_bytes_from_client), 12);
    assert_int_equal(rig_count(STAT_tunnel_bytes_to_client), 15);
}

static void bytes_right_behind_the_head(void **state)
{
    (void)state;
    open_tunnel(CONNECT "early\r\n\r\nbytes");
    assert_string_equal(rig_hears(upstream), "early\r\n\r\nbytes");
    rig_say(client, " and more");
    assert_string_equal(rig_hears(upstream), " and more");
}

static void the_client_ends_first(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    rig_say(client, "last words");
    shutdown(client, SHUT_WR);
    assert_string_equal(rig_hears(upstream), "last words");
    assert_true(rig_ended(upstream));
    rig_say(upstream, "still an answer"); /* the other direction goes on */
    assert_string_equal(rig_hears(client), "still an answer");
    assert_false(rig_ended(client));
    rig_close(upstream);
    assert_true(rig_ended(client));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

static void the_origin_ends_first(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    rig_say(upstream, "banner");
    shutdown(upstream, SHUT_WR);
    assert_string_equal(rig_hears(client), "banner");
    assert_true(rig_ended(client));
    rig_say(client, "still a question");
    assert_string_equal(rig_hears(upstream), "still a question");
    rig_close(client);
    assert_true(rig_ended(upstream));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* The end waits for the bytes before it. */
static void an_end_behind_what_cannot_be_sent_yet(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    size_t sent = 0;
    ssize_t n;
    memset(bulk, 'b', sizeof bulk);
    do {
        while ((n = send(client, bulk, sizeof bulk, MSG_NOSIGNAL)) > 0)
            sent += (size_t)n;
        rig_turn();
        n = send(client, bulk, sizeof bulk, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    shutdown(client, SHUT_WR);
    rig_turn();
    size_t got = 0;
    do {
        rig_turn();
        n = recv(upstream, bulk, sizeof bulk, 0);
        got += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    assert_int_equal(n, 0);
    assert_int_equal(got, sent);
}

/* An abrupt end on one side must not look orderly on the other. */
static void resets_pass_through(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    sock_abort(upstream);
    rig_close(upstream);
    assert_true(rig_reset(client));
    open_tunnel_of(rig_client_tcp(), CONNECT);
    sock_abort(client);
    rig_close(client);
    assert_true(rig_reset(upstream));
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

static enum sock_result refuse_to_send(struct io *io, struct layer *l, const struct iovec *v,
                                       unsigned n, size_t *sent)
{
    (void)io, (void)l, (void)v, (void)n;
    *sent = 0;
    return SOCK_ERROR;
}

/* The system may refuse a write though the connection lives: its peer sees no orderly end either.
 */
static void a_write_that_fails(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    struct stream_ops refusing = *rig_client_conn()->stream.ops;
    refusing.sendv = refuse_to_send;
    rig_client_conn()->stream.ops = &refusing;
    rig_say(upstream, "x");
    assert_true(rig_reset(upstream));
    assert_true(rig_reset(client));
}

/* ---- what the client begins with ---- */

/* Three letters decide. */
static enum inspection by_letters(const struct access_record *r, struct slice first,
                                  struct inspected *out)
{
    assert_slice(access_record_string(r, STRING_TARGET), "one.test:80");
    assert_true(first.n > 0);
    if (first.n < 3)
        return INSPECT_MORE;
    out->name = SLICE("other.test");
    if (first.p[0] == 'g')
        return INSPECT_PASS;
    out->ruling = (struct ruling){ FAULT_sni_denied, SLICE("letters"), SLICE("no"), SLICE("") };
    return INSPECT_DENY;
}

static void held_until_it_is_known(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel(CONNECT);
    rig_say(upstream, "220 hello"); /* never held */
    assert_string_equal(rig_hears(client), "220 hello");
    rig_say(client, "g");
    rig_say(client, "o");
    assert_string_equal(rig_hears(upstream), "");
    rig_say(upstream, "still here");
    assert_string_equal(rig_hears(client), "still here");
    rig_say(client, "od");
    assert_string_equal(rig_hears(upstream), "good");
    rig_say(client, "bad"); /* nobody looks any more */
    assert_string_equal(rig_hears(upstream), "bad");
    rig_later(rig.snapshot->conf.timeouts.head + 1000);
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
}

static void held_behind_the_head(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel(CONNECT "go");
    assert_string_equal(rig_hears(upstream), "");
    rig_say(client, "on");
    assert_string_equal(rig_hears(upstream), "goon");
}

static void refused_by_what_it_begins_with(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    rig_say(client, "bad");
    assert_true(rig_reset(upstream));
    assert_int_equal(rig_count(STAT_tunnel_bytes_from_client), 0);
    assert_true(rig_reset(client));
    assert_int_equal(rig_faults(FAULT_sni_denied), 1);
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

/* What is not known in time, and what ends before it is. */
static void never_known(void **state)
{
    (void)state;
    rig.inspect = by_letters;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    rig_later(rig.snapshot->conf.timeouts.head + 1000); /* nothing has come: it may wait */
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
    rig_say(client, "g");
    rig_later(rig.snapshot->conf.timeouts.head + 1000);
    assert_true(rig_reset(client));
    assert_int_equal(rig_faults(FAULT_client_hello_timeout), 1);
    open_tunnel_of(rig_client_tcp(), CONNECT);
    rig_say(client, "go");
    shutdown(client, SHUT_WR);
    assert_true(rig_reset(upstream));
    assert_int_equal(rig_faults(FAULT_client_closed), 1);
    open_tunnel(CONNECT);
    shutdown(client, SHUT_WR);
    assert_true(rig_ended(upstream)); /* which asks for nothing */
    rig_say(upstream, "bye");
    assert_string_equal(rig_hears(client), "bye");
}

#define UPGRADE                                                                                    \
    "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\nConnection: Upgrade\r\n"                   \
    "Upgrade: websocket\r\n\r\n"
#define SWITCHED                                                                                   \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

/* Asks, with the nth allocation of all that follows refused. False: there were fewer. */
static bool ask_in_need(const char *request, unsigned nth)
{
    int origin = rig_origin();
    client = rig_client_tcp();
    memory_refuse(nth, false);
    rig_say(client, request);
    rig_turn();
    upstream = sock_accept(origin, &(struct addr){ 0 });
    if (upstream >= 0 && request[0] == 'G')
        rig_say(upstream, SWITCHED);
    rig_turn();
    return memory_relent();
}

/* Whatever allocation is refused: a 200 or 101 comes with a tunnel, and a tunnel with that; all else
 * is an answer like any other. */
static void never_promised_and_not_there(void **state)
{
    (void)state;
    static const char *const requests[] = { CONNECT, UPGRADE };
    for (unsigned i = 0; i < countof(requests); i++) {
        unsigned refused = 0;
        bool more = true;
        for (unsigned nth = 1; more; nth++) {
            more = ask_in_need(requests[i], nth);
            const char *said = rig_hears(client);
            bool promised =
                !strncmp(said, "HTTP/1.1 200 ", 13) || !strncmp(said, "HTTP/1.1 101 ", 13);
            assert_int_equal(promised, rig_count(STAT_tunnels_open));
            refused += !strncmp(said, "HTTP/1.1 503 ", 13);
            if (promised) {
                rig_say(client, "ping");
                assert_has(rig_hears(upstream), "ping");
            }
            close(upstream);
            rig_close(client);
            rig_turn();
            assert_int_equal(rig_count(STAT_tunnels_open), 0);
        }
        assert_int_not_equal(refused, 0);
    }
}

static void a_reset_after_its_half_close(void **state)
{
    (void)state;
    open_tunnel_of(rig_client_tcp(), CONNECT);
    shutdown(upstream, SHUT_WR);
    assert_true(rig_ended(client));
    sock_abort(upstream);
    rig_close(upstream);
    rig_turn();
    assert_true(send(client, "x", 1, MSG_NOSIGNAL) < 0); /* it has been asked to */
    assert_int_equal(rig_count(STAT_tunnels_open), 0);
}

static void idle_too_long(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_idle = 60000;
    open_tunnel(CONNECT);
    for (int i = 0; i < 4; i++) {
        rig_later(50000);
        rig_say(i % 2 ? client : upstream, "x");
    }
    rig_hears(client), rig_hears(upstream);
    assert_false(rig_ended(client));
    rig_later(61000);
    assert_true(rig_ended(client));
    assert_true(rig_ended(upstream));
    assert_int_equal(rig_faults(FAULT_tunnel_idle_timeout), 1);
}

static void lived_too_long(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_lifetime = 60000;
    rig.snapshot->conf.timeouts.tunnel_idle = UINT32_MAX;
    open_tunnel(CONNECT);
    for (int i = 0; i < 6; i++) {
        rig_later(9900);
        rig_say(client, "x");
        rig_hears(upstream);
    }
    rig_later(1000);
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_tunnel_lifetime), 1);
}

static void without_limits_for_ever(void **state)
{
    (void)state;
    rig.snapshot->conf.timeouts.tunnel_idle = UINT32_MAX;
    open_tunnel(CONNECT);
    rig_later(30ull * 24 * 3600 * 1000);
    assert_false(rig_ended(client));
    rig_say(client, "x");
    assert_string_equal(rig_hears(upstream), "x");
}

/* The line is written at the end and counts the tunnel's own bytes. */
static void what_it_leaves_in_the_log(void **state)
{
    (void)state;
    static char area[LOG_LINE];
    struct log_clock clock = { 0 };
    struct text t = text_in(area, sizeof area - 1);
    rig.snapshot->conf.log_wants = WANT_RECORD;
    open_tunnel(CONNECT);
    rig_say(client, "12345");
    rig_say(upstream, "123");
    rig_hears(client), rig_hears(upstream);
    assert_null(ring_peek(rig.worker->log).p);
    rig_later(1000);
    rig_close(client);
    rig_close(upstream);
    rig_turn();
    const struct access_record *r = (const void *)ring_peek(rig.worker->log).p;
    assert_non_null(r);
    assert_true(r->tunnel);
    log_format_access(&t, &clock, &(struct log_style){ 0 }, r);
    area[t.n] = 0;
    assert_has(area, " \"CONNECT one.test:80\" 200 in=5 out=3 10");
    assert_int_equal(rig_count(STAT_requests_total), 1);
    assert_int_equal(rig_count(STAT_requests_in_flight), 0);
}

static void cut_by_the_drain(void **state)
{
    (void)state;
    open_tunnel(CONNECT);
    rig.worker->draining = DRAIN_GRACEFUL;
    client_drain(rig.worker);
    rig_say(client, "goes on");
    assert_string_equal(rig_hears(upstream), "goes on");
    rig.worker->draining = DRAIN_NOW;
    client_drain(rig.worker);
    assert_true(rig_ended(client));
    assert_int_equal(atomic_load(&rig.engine.cut), 1);
    assert_int_equal(rig_faults(FAULT_draining), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(both_ways),
        RIG_TEST(bytes_right_behind_the_head),
        RIG_TEST(the_client_ends_first),
        RIG_TEST(the_origin_ends_first),
        RIG_TEST(an_end_behind_what_cannot_be_sent_yet),
        RIG_TEST(resets_pass_through),
        RIG_TEST(a_write_that_fails),
        RIG_TEST(held_until_it_is_known),
        RIG_TEST(held_behind_the_head),
        RIG_TEST(refused_by_what_it_begins_with),
        RIG_TEST(never_known),
        RIG_TEST(never_promised_and_not_there),
        RIG_TEST(a_reset_after_its_half_close),
        RIG_TEST(idle_too_long),
        RIG_TEST(lived_too_long),
        RIG_TEST(without_limits_for_ever),
        RIG_TEST(what_it_leaves_in_the_log),
        RIG_TEST(cut_by_the_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
