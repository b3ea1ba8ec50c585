/* A client between accept and the whole head, and between two requests: pieces, time-outs, limits,
 * lingering, drain. */
#include "core/conn/memory_wait.h"
#include "core/codec/reject.h"
#include "core/codec/server.h"

#include <poll.h>
#include <unistd.h>

#include "core/conn/client_count.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_memory.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_head_in_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece += 6) {
        int client = rig_client();
        const char *request = GET("/some-path");
        for (size_t i = 0; i < strlen(request); i += piece) {
            char part[64] = "";
            strncpy(part, request + i, piece);
            assert_string_equal(rig_hears(client), "");
            rig_say(client, part);
        }
        assert_has(rig_hears(client), "\r\n\r\n/some-path");
        rig_close(client);
    }
}

static void one_after_the_other(void **state)
{
    (void)state;
    int client = rig_client();
    rig_say(client, GET("/1") GET("/2") "\r\n" GET("/3") "GET /4 HT");
    const char *said = rig_hears(client), *one = strstr(said, "\r\n\r\n/1"),
               *two = strstr(said, "\r\n\r\n/2"), *three = strstr(said, "\r\n\r\n/3");
    assert_true(one && two && three && one < two && two < three);
    assert_has_not(said, "/4");
    rig_say(client, "TP/1.1\r\nHost: a\r\n\r\n");
    assert_has(rig_hears(client), "\r\n\r\n/4");
    assert_int_equal(rig_count(STAT_requests_total), 4);
}

/* What ends as a head does is parsed at once: of two faults the one is told that comes first all the
 * same, as of a head in pieces, and what follows a head is no part of it. */
static void faults_in_one_piece(void **state)
{
    (void)state;
    int client = rig_client();
    rig_say(client, "G(T / HTTP/1.1\r\nHost: a\r\nX: \001\r\n\r\n");
    assert_has(rig_hears(client), "HTTP/1.1 400 ");
    assert_int_equal(rig_faults(FAULT_bad_field_value), 1);
    assert_int_equal(rig_faults(FAULT_bad_method), 0);
    rig_close(client);
    client = rig_client();
    rig_say(client, GET("/1") "G(T / HTTP/1.1\r\nHost: a\r\n\r\nX: \001\r\n\r\n");
    assert_has(rig_hears(client), "\r\n\r\n/1");
    assert_int_equal(rig_faults(FAULT_bad_field_value), 1);
    assert_int_equal(rig_faults(FAULT_bad_method), 1);
    rig_close(client);
}

/* Between requests a client is its connection and nothing else. */
static void an_idle_client_holds_no_buffer(void **state)
{
    (void)state;
    int client = rig_client();
    rig_turn();
    assert_int_equal(rig.worker->bufs.in_use, 0);
    rig_ask(client, GET("/1"));
    assert_int_equal(rig.worker->bufs.in_use, 0);
    assert_int_equal(rig.worker->xchgs.live, 0);
    assert_int_equal(rig_count(STAT_connections_open), 1);
    rig_close(client);
    rig_turn();
    assert_int_equal(rig_count(STAT_connections_open), 0);
    assert_int_equal(rig_count(STAT_connections_total), 1);
}

/* The time counts for the whole head: bytes that trickle in do not extend it. */
static void a_slow_head(void **state)
{
    (void)state;
    int client = rig_client();
    rig_say(client, "GET /slow HTTP/1.1\r\n");
    for (int i = 0; i < 9; i++) {
        rig_later(1000);
        rig_say(client, "X: y\r\n");
        assert_string_equal(rig_hears(client), "");
    }
    rig_later(1100);
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 408 ");
    assert_has(said, "request_head_timeout");
    assert_has(said, "Connection: close\r\n");
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_request_head_timeout), 1);
}

static void who_says_nothing_gets_nothing(void **state)
{
    (void)state;
    int client = rig_client();
    rig_later(9900);
    assert_false(rig_ended(client));
    rig_later(200);
    assert_string_equal(rig_hears(client), "");
    assert_true(rig_ended(client));
}

static void the_next_request_has_its_own_time(void **state)
{
    (void)state;
    int client = rig_client();
    rig_ask(client, GET("/1"));
    rig_later(70000); /* idle is 75 s */
    rig_say(client, "GET /2 ");
    rig_later(9000);
    assert_has(rig_ask(client, "HTTP/1.1\r\nHost: a\r\n\r\n"), "\r\n\r\n/2");
    rig_later(74000);
    assert_false(rig_ended(client));
    rig_later(2000);
    assert_true(rig_ended(client));
}

static void nothing_is_read_behind_these(void **state)
{
    (void)state;
    static const struct {
        const char *said, *answer;
    } rows[] = {
        { "\x16\x03\x01\x02", "tls_to_plain_port" },
        { "\x05\x01\x01", "not_http" },
        { "GET /a b HTTP/1.1\r\n\r\n", "bad_" },
        { "GET / HTTP/1.1\nHost: a\n\n", "bad_line_end" },
        { "GET / HTTP/3.0\r\nHost: a\r\n\r\n", "bad_version" },
        { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "bad_field_name" },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "bad_host" },
        { "GET http://a/ HTTP/1.1\r\nHost: a:b\r\n\r\n", "bad_host" },
        /* Their bodies are never read, so what follows the head is no request. */
        { "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 31\r\n\r\n" GET("/body"),
          "bad_expectation" },
        { "PUT ftp://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\n" GET("/body"),
          "bad_scheme" },
        { "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 31\r\n\r\n" GET("/body"),
          "bad_content_length" },
        { "PUT /own HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\n" GET("/body"), "/own" },
        { "PUT /own HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" GET("/body"),
          "/own" },
    };
    for (unsigned i = 0; i < countof(rows); i++) {
        int client = rig_client();
        const char *said = rig_ask(client, rows[i].said);
        assert_has(said, "Connection: close\r\n");
        assert_has(said, rows[i].answer);
        assert_has_not(said, "/body");
        assert_true(rig_ended(client));
        rig_close(client);
    }
}

/* The head's end, and what is wrong in it, on either side of the end of each buffer: the answer is
 * the same wherever the bytes stand, and what follows is the next request. */
static void a_head_at_the_end_of_a_buffer(void **state)
{
    (void)state;
    static const char *const tails[] = { "\r\n\r\n",      "\r\nA: b\r\n\r\n", "\n\r\n",
                                         "\r\nA : b\r\n", "\r\nA\rb\r\n\r\n", "\r\n\n" };
    static char request[32768];
    const char *head = "GET /1 HTTP/1.1\r\nHost: a\r\nX: ";
    rig.snapshot->conf.limits.clients_per_address = 10000;
    for (size_t size = 4096; size <= 16384; size *= 4)
        for (size_t at = size - sizeof(struct buf) - 10; at <= size - sizeof(struct buf) + 2; at++)
            for (unsigned i = 0; i < countof(tails); i++) {
                int client = rig_client();
                memset(request, 'x', at);
                memcpy(request, head, strlen(head));
                snprintf(request + at, sizeof request - at, "%s%s", tails[i], GET("/2"));
                size_t n = strlen(request);
                assert_int_equal(send(client, request, n, 0), n); /* in one piece */
                const char *said = rig_hears(client);
                assert_begins(said, i < 2 ? "HTTP/1.1 200 " : "HTTP/1.1 400 ");
                if (i < 2)
                    assert_has(said, "\r\n\r\n/2");
                else
                    assert_has_not(said, "\r\n\r\n/2");
                rig_close(client);
                rig_turn();
            }
}

static void a_head_too_large(void **state)
{
    (void)state;
    static char request[40000];
    int client = rig_client();
    memset(request, 'x', sizeof request - 1);
    memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
    assert_begins(rig_ask(client, request), "HTTP/1.1 431 ");
}

/* An answer to a client that still sends would be destroyed by a reset: it is read on. */
static void lingering(void **state)
{
    (void)state;
    static char bulk[60000];
    int client = rig_client();
    memset(bulk, 'b', sizeof bulk - 1);
    rig_say(client, "POST http://one.test/denied HTTP/1.1\r\nHost: one.test\r\n"
                    "Content-Length: 9000000\r\n\r\n");
    for (int i = 0; i < 20; i++)
        rig_say(client, bulk);
    assert_begins(rig_hears(client), "HTTP/1.1 403 ");
    assert_true(rig_ended(client)); /* our side is shut, its is read */
    assert_user(rig_client_conn(), "lingering");
    rig_later(1100);
    assert_true(list_empty(&rig.worker->client_conns));
}

static void too_many_from_one_address(void **state)
{
    (void)state;
    rig.snapshot->conf.limits.clients_per_address = 2;
    int a = rig_client(), b = rig_client(), c = rig_client();
    const char *said = rig_hears(c);
    assert_begins(said, "HTTP/1.1 503 ");
    assert_has(said, "too_many_from_address");
    assert_has(said, "\r\n\r\ntoo_many_from_address: ");
    const char *body = strstr(said, "\r\n\r\n") + 4, *length = strstr(said, "Content-Length: ");
    assert_int_equal(strtoul(length + 16, NULL, 10), strlen(body));
    assert_true(rig_ended(c));
    assert_int_equal(rig_count(STAT_connections_refused_total), 1);
    assert_int_equal(rig_count(STAT_connections_open), 2);
    assert_has(rig_ask(a, GET("/1")), "/1");
    rig_close(b);
    rig_turn();
    assert_has(rig_ask(rig_client(), GET("/2")), "/2");
}

static void no_memory_for_one_more(void **state)
{
    (void)state;
    rig.worker->memory = 0;
    rig.worker->conns.free = NULL;
    int client = rig_client();
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 503 ");
    assert_has(said, "out_of_memory");
    assert_int_equal(atomic_load(&rig.engine.clients), 0);
    struct addr peer;
    assert_true(addr_parse(SLICE("127.0.0.1"), &peer));
    assert_true(client_count_enter(rig.engine.client_count, &peer, 1) ==
                FAULT_NONE); /* its place was given back */
    client_count_leave(rig.engine.client_count, &peer);
}

/* Not even for an exchange: there is nobody to answer, and nobody is kept waiting. */
static void no_memory_for_an_exchange(void **state)
{
    (void)state;
    int client = rig_client();
    rig_say(client, "GET /1 HT");
    memory_refuse(1, true);
    rig_say(client, "TP/1.1\r\nHost: a\r\n\r\n");
    assert_true(memory_relent() > 0);
    assert_string_equal(rig_hears(client), "");
    assert_true(rig_ended(client));
    assert_true(list_empty(&rig.worker->client_conns));
}

/* What the client has sent already does not make a reset of the refusal. */
static void turned_away_in_an_orderly_way(void **state)
{
    (void)state;
    struct addr peer;
    int door = rig_origin();
    assert_true(addr_parse(SLICE("127.0.0.1"), &peer));
    peer.port = rig.port;
    int client = sock_connect(&peer);
    struct pollfd p = { .fd = door, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_int_equal(send(client, GET("/1"), strlen(GET("/1")), 0), strlen(GET("/1")));
    int fd = sock_accept(door, &peer);
    p = (struct pollfd){ .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 1000), 1);
    client_reject(rig.worker, fd, FAULT_draining);
    p = (struct pollfd){ .fd = client, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 1000), 1);
    assert_int_equal(sock_connect_error(client), 0);
    char said[1000];
    ssize_t n = recv(client, said, sizeof said, 0);
    assert_true(n > 0);
    assert_begins(said, "HTTP/1.1 503 ");
    assert_int_equal(recv(client, said, sizeof said, 0), 0);
    close(client);
}

/* No buffer for a request: it waits, and is served when there is one again. */
static void a_request_waits_for_memory(void **state)
{
    (void)state;
    int client = rig_client();
    rig_exhaust();
    rig_say(client, GET("/later"));
    assert_string_equal(rig_hears(client), "");
    assert_true(memory_awaited(rig.worker));
    rig_relieve();
    rig_later(200);
    assert_has(rig_hears(client), "\r\n\r\n/later");
}

/* Its time ends while it waits: its answer is that memory was missing, whether the line's timer has
 * just run as well or not. */
static void a_request_waits_too_long_for_memory(void **state)
{
    (void)state;
    for (unsigned step = 1; step <= 10000; step *= 10) {
        int client = rig_client(), late = rig_client();
        u64 before = rig_faults(FAULT_out_of_memory), slow = rig_faults(FAULT_request_head_timeout);
        rig_say(late, "GET /half HT"); /* has begun, and needs no memory to go on */
        rig_exhaust();
        rig_say(client, GET("/never"));
        for (unsigned ms = 0; ms < 9900; ms += step)
            rig_later(step);
        rig_later(200);
        rig_relieve();
        rig_later(20);
        const char *said = rig_hears(client);
        assert_begins(said, "HTTP/1.1 503 ");
        assert_has(said, "out_of_memory");
        assert_has(said, "Connection: close\r\n");
        assert_begins(rig_hears(late), "HTTP/1.1 408 ");
        assert_int_equal(rig_faults(FAULT_out_of_memory), before + 1);
        assert_int_equal(rig_faults(FAULT_request_head_timeout), slow + 1);
        rig_close(client);
        rig_close(late);
        rig_later(1100);
    }
}

/* The same on a connection that has had its first request, and in the middle of a head. */
static void a_later_request_waits_too_long_for_memory(void **state)
{
    (void)state;
    static char much[5000];
    int client = rig_client(), middle = rig_client();
    rig_ask(client, GET("/1"));
    rig_later(9000);
    rig_say(middle, "GET /half HTTP/1.1\r\nX: ");
    rig_exhaust();
    memset(much, 'x', sizeof much - 1);
    rig_say(middle, much);
    rig_say(client, GET("/never"));
    rig_later(9000); /* more than it had been idle before */
    rig_later(1100);
    rig_relieve();
    rig_later(20);
    assert_begins(rig_hears(client), "HTTP/1.1 503 ");
    assert_begins(rig_hears(middle), "HTTP/1.1 503 ");
    assert_int_equal(rig_faults(FAULT_out_of_memory), 2);
}

/* Having waited for memory once is forgotten: between requests it has the idle time, and its end
 * says nothing. */
static void a_wait_for_memory_is_over_when_it_is(void **state)
{
    (void)state;
    int client = rig_client();
    rig_exhaust();
    rig_say(client, GET("/1"));
    assert_true(rig_client_conn()->awaits_memory);
    rig_relieve();
    rig_say(client, GET("/2")); /* read before the line's timer runs */
    assert_has(rig_hears(client), "\r\n\r\n/2");
    rig_later(74000);
    assert_false(rig_ended(client));
    rig_later(2000);
    assert_string_equal(rig_hears(client), "");
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_out_of_memory), 0);
}

/* An empty line is no request: who sends one between two has the idle time, in whatever pieces it
 * comes. */
static void an_empty_line_is_no_request(void **state)
{
    (void)state;
    int client = rig_client();
    rig_ask(client, GET("/1"));
    rig_say(client, "\r");
    rig_say(client, "\n");
    rig_later(74000);
    assert_false(rig_ended(client));
    rig_say(client, "\r");
    rig_later(11000);
    assert_string_equal(rig_hears(client), "");
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_request_head_timeout), 0);
}

static void half_a_request_and_a_close(void **state)
{
    (void)state;
    int client = rig_client();
    rig_say(client, "GET / HT");
    shutdown(client, SHUT_WR);
    assert_string_equal(rig_hears(client), "");
    assert_true(rig_ended(client));
    assert_int_equal(rig_faults(FAULT_client_closed), 1);
    client = rig_client();
    rig_say(client, GET("/whole"));
    shutdown(client, SHUT_WR); /* no more requests, but this one is answered */
    client = rig_client();
    assert_int_equal(send(client, GET("/whole"), strlen(GET("/whole")), 0), strlen(GET("/whole")));
    shutdown(client, SHUT_WR);
    assert_has(rig_hears(client), "\r\n\r\n/whole");
    assert_true(rig_ended(client));
}

/* Who has finished sending has not finished asking: what came before the end is answered. */
static void several_requests_and_a_close(void **state)
{
    (void)state;
    int client = rig_client();
    assert_int_equal(send(client, GET("/1") GET("/2"), 2 * strlen(GET("/1")), 0),
                     2 * strlen(GET("/1")));
    shutdown(client, SHUT_WR);
    const char *said = rig_hears(client);
    assert_has(said, "\r\n\r\n/1");
    assert_has(said, "\r\n\r\n/2");
    assert_true(rig_ended(client));
}

/* What comes while an exchange runs is read when it is over: its edge has passed by then. */
static void a_request_that_came_meanwhile(void **state)
{
    (void)state;
    int client = rig_client_tcp(), origin = rig_origin();
    rig_say(client, "GET http://one.test/1 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(client, GET("/2"));
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    assert_has(rig_hears(client), "\r\n\r\n/2");
}

/* Each request may have empty lines before it; too many are none of HTTP's. */
static void empty_lines_before_each(void **state)
{
    (void)state;
    int client = rig_client();
    for (int i = 0; i < 5; i++)
        assert_has(rig_ask(client, "\r\n\r\n\r\n" GET("/1")), "\r\n\r\n/1");
    for (int i = 0; i < 9; i++)
        rig_say(client, "\r\n");
    assert_begins(rig_hears(client), "HTTP/1.1 400 ");
}

/* Nobody is left to linger for. */
static void no_lingering_behind_an_end(void **state)
{
    (void)state;
    int client = rig_client();
    shutdown(client, SHUT_WR);
    rig_turn();
    assert_true(list_empty(&rig.worker->client_conns));
    client = rig_client();
    const char *last = "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_int_equal(send(client, last, strlen(last), 0), strlen(last));
    shutdown(client, SHUT_WR);
    assert_has(rig_hears(client), "/1");
    assert_true(list_empty(&rig.worker->client_conns));
}

static void drain(enum drain_state how)
{
    rig.worker->draining = (u8)how;
    client_drain(rig.worker);
    rig_turn();
}

static void a_graceful_drain(void **state)
{
    (void)state;
    int idle = rig_client(), begun = rig_client(), busy = rig_client(), origin = rig_origin();
    rig_ask(idle, GET("/1"));
    rig_say(begun, "GET /2 HT");
    rig_say(busy, "GET http://one.test/3 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    int upstream = rig_accept(origin);
    drain(DRAIN_GRACEFUL);
    assert_true(rig_ended(idle));
    assert_false(rig_ended(begun));
    assert_false(rig_ended(busy));
    const char *said = rig_ask(begun, "TP/1.1\r\nHost: a\r\n\r\n");
    assert_has(said, "\r\n\r\n/2");
    assert_has(said, "Connection: close\r\n");
    assert_true(rig_ended(begun));
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3");
    said = rig_hears(busy);
    assert_has(said, "\r\n\r\n3");
    assert_has(said, "Connection: close\r\n");
    assert_true(rig_ended(busy));
}

/* The next request of a connection that was promised to live on is answered, and the answer
 * announces the end. */
static void asked_before_the_drain(void **state)
{
    (void)state;
    int client = rig_client(), other = rig_client(), origin = rig_origin();
    rig_say(client, "GET http://one.test/1 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    int upstream = rig_accept(origin);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1");
    assert_has_not(rig_hears(client), "Connection: close");
    rig_say(client, GET("/2"));
    rig_ask(other, GET("/1"));
    drain(DRAIN_GRACEFUL);
    rig_say(upstream, "1");
    const char *said = rig_hears(client);
    assert_has(said, "\r\n\r\n/2");
    assert_has(said, "Connection: close");
    assert_true(rig_ended(client));
    assert_true(rig_ended(other));
}

static void at_once(void **state)
{
    (void)state;
    int begun = rig_client(), busy = rig_client(), origin = rig_origin();
    rig_say(begun, "GET /2 HT");
    rig_say(busy, "GET http://one.test/3 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    drain(DRAIN_NOW);
    assert_true(rig_ended(begun) || rig_reset(begun));
    assert_true(rig_ended(busy) || rig_reset(busy));
    assert_true(rig_ended(upstream) || rig_reset(upstream));
    assert_int_equal(atomic_load(&rig.engine.cut), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_head_in_pieces),
        RIG_TEST(faults_in_one_piece),
        RIG_TEST(one_after_the_other),
        RIG_TEST(an_idle_client_holds_no_buffer),
        RIG_TEST(a_slow_head),
        RIG_TEST(who_says_nothing_gets_nothing),
        RIG_TEST(the_next_request_has_its_own_time),
        RIG_TEST(nothing_is_read_behind_these),
        RIG_TEST(a_head_at_the_end_of_a_buffer),
        RIG_TEST(a_head_too_large),
        RIG_TEST(lingering),
        RIG_TEST(too_many_from_one_address),
        RIG_TEST(no_memory_for_one_more),
        RIG_TEST(no_memory_for_an_exchange),
        RIG_TEST(turned_away_in_an_orderly_way),
        RIG_TEST(a_request_waits_for_memory),
        RIG_TEST(a_request_waits_too_long_for_memory),
        RIG_TEST(a_later_request_waits_too_long_for_memory),
        RIG_TEST(a_wait_for_memory_is_over_when_it_is),
        RIG_TEST(an_empty_line_is_no_request),
        RIG_TEST(half_a_request_and_a_close),
        RIG_TEST(several_requests_and_a_close),
        RIG_TEST(a_request_that_came_meanwhile),
        RIG_TEST(empty_lines_before_each),
        RIG_TEST(no_lingering_behind_an_end),
        RIG_TEST(a_graceful_drain),
        RIG_TEST(asked_before_the_drain),
        RIG_TEST(at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
