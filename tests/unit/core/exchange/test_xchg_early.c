/* What ends an exchange early: a side that goes away, one that is too slow, a body that fails, an
 * answer that is cut; and that no time runs out for a side that has nothing to wait for. */
#include "core/exchange/xchg.h"

#include <errno.h>
#include <unistd.h>

#include "core/codec/h1.h"
#include "tests/unit/core/exchange/help_xchg.h"
#include "tests/unit/help_clock.h"

/* A cut answer never looks whole: chunks without an end, a length not reached, else a reset. */
static void a_truncated_answer(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    rig_close(upstream);
    assert_has_not(rig_hears(client), "0\r\n\r\n");
    assert_true(rig_ended(client) || rig_reset(client));
    origin = 0;
    ask("GET http://one.test/ HTTP/1.0\r\n\r\n");
    answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    rig_close(upstream);
    rig_turn();
    char part[64];
    ssize_t n;
    while ((n = recv(client, part, sizeof part, 0)) > 0)
        ;
    assert_true(n < 0 && errno == ECONNRESET);
    assert_int_equal(rig_faults(FAULT_response_truncated), 2);
}

/* The body is not waited for when the answer is there; what is left of it has no taker. */
static void an_early_answer(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Content-Length: 100000\r\n"));
    rig_say(client, "some of it");
    const char *said = answered("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    assert_begins(said, "HTTP/1.1 403 No\r\n");
    assert_has(said, "Connection: close\r\n");
    assert_true(rig_ended(client));
}

static void the_time_for_each_part(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    rig_later(59000);
    assert_string_equal(rig_hears(client), "");
    rig_later(1100);
    assert_has(rig_hears(client), "response_head_timeout");
    origin = 0;
    ask(ASK("POST", "/", "Content-Length: 10\r\n"));
    rig_later(61000);
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 408 ");
    assert_has(said, "request_body_timeout");
    origin = 0;
    ask(ASK("GET", "/", ""));
    answered("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel");
    rig_later(61000);
    assert_int_equal(rig_faults(FAULT_response_body_timeout), 1);
    assert_true(rig_ended(client) || rig_reset(client));
}

static void a_client_that_reads_nothing(void **state)
{
    (void)state;
    static char bulk[1 << 20];
    ask(ASK("GET", "/", ""));
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\n");
    memset(bulk, 'b', sizeof bulk);
    for (int i = 0; i < 100 && send(upstream, bulk, sizeof bulk, MSG_NOSIGNAL) > 0; i++)
        rig_turn();
    assert_true(rig.worker->bufs.in_use < 600000);
    rig_later(61000);
    assert_int_equal(rig_faults(FAULT_client_write_timeout), 1);
    assert_true(list_empty(&rig.worker->client_conns));
}

/* A socket that gives ten bytes at a time and always has more, or takes none. */
static enum sock_result recv_little(struct io *io, struct layer *l, void *p, size_t n, size_t *got)
{
    (void)l;
    return sock_recv(io, p, n < 10 ? n : 10, got);
}

static enum sock_result send_nothing(struct io *io, struct layer *l, const struct iovec *v,
                                     unsigned nv, size_t *sent)
{
    (void)l;
    (void)v;
    (void)nv;
    *sent = 0;
    io->ready &= (u8)~IO_OUT;
    return SOCK_AGAIN;
}

static void many_bytes(int fd)
{
    static const char bytes[8000];
    assert_int_equal(send(fd, bytes, sizeof bytes, 0), sizeof bytes);
}

/* A worker with much to do leaves off again and again in the middle of what there is, and no side
 * ever waits for the other: nobody's time runs meanwhile. */
static void a_flow_that_never_pauses(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    assert_has(answered("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 8005\r\n\r\nhello"),
               "hello"); /* the origin's time runs */
    struct xchg *x = rig_exchange();
    struct stream_ops slow = stream_plain;
    slow.recv = recv_little;
    slow.sendv = send_nothing;
    conn_of(&x->upstream)->stream.ops = &slow;
    many_bytes(upstream);
    for (int i = 0; i < 10; i++) {
        clock_forward(10000);
        loop_turn(&rig.worker->loop, 0);
    }
    assert_int_equal(rig_faults(FAULT_response_body_timeout), 0);
    assert_int_equal(rig.worker->xchgs.live, 1);
    size_t heard = 0;
    char area[1000];
    for (ssize_t n = 1; n > 0; heard += n > 0 ? (size_t)n : 0) {
        rig_turn();
        n = recv(client, area, sizeof area, MSG_DONTWAIT);
    }
    assert_int_equal(heard, 8000);
    assert_int_equal(rig.worker->xchgs.live, 0);
}

static void a_body_that_never_pauses(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Content-Length: 8005\r\n"));
    rig_say(client, "hello"); /* the client's time runs */
    struct xchg *x = rig_exchange();
    const struct stream_ops *plain = conn_of(&x->client)->stream.ops;
    struct stream_ops slow = *plain;
    slow.recv = recv_little;
    conn_of(&x->client)->stream.ops = &slow;
    many_bytes(client);
    for (int i = 0; i < 10; i++) {
        clock_forward(10000);
        loop_turn(&rig.worker->loop, 0);
    }
    assert_int_equal(rig_faults(FAULT_request_body_timeout), 0);
    rig_turn();
    conn_of(&x->client)->stream.ops = plain;
    assert_begins(answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 200 ");
}

/* A request body that fails once the answer has begun does not spoil the answer, nor does the time
 * that the origin had for it. */
static void a_failed_body_leaves_no_time(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Transfer-Encoding: chunked\r\n"));
    struct xchg *x = rig_exchange();
    const struct stream_ops *plain = conn_of(&x->upstream)->stream.ops;
    struct stream_ops full = *plain;
    full.sendv = send_nothing;
    conn_of(&x->upstream)->stream.ops = &full;
    rig_say(client, "5\r\nhello\r\n");
    assert_has(answered("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1"), "\r\n1");
    conn_of(&x->upstream)->stream.ops = plain;
    conn_of(&x->upstream)->stream.io.ready |= IO_OUT;
    rig_say(client, "no chunk\r\n");
    rig_hears(upstream);
    for (int i = 2; i < 8; i++) {
        rig_later(20000);
        char digit[2] = { (char)('0' + i), 0 };
        assert_string_equal(answered(digit), digit);
    }
    assert_string_equal(answered("8"), "8");
    assert_int_equal(rig_faults(FAULT_upstream_write_timeout), 0);
}

/* An origin that answers early may leave the rest of the body where it is. */
static void an_answer_instead_of_reading(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Transfer-Encoding: chunked\r\n"));
    struct xchg *x = rig_exchange();
    struct stream_ops full = *conn_of(&x->upstream)->stream.ops;
    full.sendv = send_nothing;
    conn_of(&x->upstream)->stream.ops = &full;
    rig_say(client, "5\r\nhello\r\n");
    assert_has(answered("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1"), "\r\n1");
    for (int i = 2; i < 9; i++) {
        char digit[2] = { (char)('0' + i), 0 };
        rig_later(20000);
        assert_string_equal(answered(digit), digit);
    }
    assert_int_equal(rig_faults(FAULT_upstream_write_timeout), 0);
    assert_int_equal(rig.worker->xchgs.live, 0);
}

/* Nobody reads the body behind a refusal, so the time for it does not cut the refusal. */
static void a_refusal_taken_late(void **state)
{
    (void)state;
    char hints[4000];
    int small = 1;
    origin = rig_origin();
    client = rig_client();
    int fd = rig_client_conn()->stream.io.fd;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    ask(ASK("POST", "/", "Accept: text/html\r\nContent-Length: 10\r\n"));
    rig_say(client, "hello");
    snprintf(hints, sizeof hints, "HTTP/1.1 103 Early Hints\r\nLink: <%02100d>\r\n\r\n", 0);
    rig_say(upstream, hints);
    rig_say(upstream, hints);
    rig_later(50000);
    rig_close(upstream);
    rig_later(20000);
    const char *said = rig_hears(client);
    assert_has(said, "HTTP/1.1 502 ");
    assert_has(said, "</html>");
}

static void a_client_that_resets(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    sock_abort(client);
    rig_close(client);
    rig_turn();
    assert_int_equal(rig_faults(FAULT_client_reset), 1);
    assert_true(rig_ended(upstream) || rig_reset(upstream));
    assert_int_equal(rig.worker->xchgs.live, 0);
}

/* Half of its answer is still to come on the origin's connection: nobody else may have that. */
static void a_client_that_resets_within_the_answer(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    answered("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    sock_abort(client);
    rig_close(client);
    rig_turn();
    assert_int_equal(rig_faults(FAULT_client_reset), 1);
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    assert_true(rig_ended(upstream) || rig_reset(upstream));
}

/* The origin waits for the rest of the request on its connection: nobody else may use that, and
 * what the client still sends is no request. The answer is whole nevertheless. */
static void assert_answer_whole_and_both_closed(void)
{
    assert_has(answered("!"), "!");
    assert_true(rig_ended(client));
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    assert_true(rig_ended(upstream) || rig_reset(upstream));
    assert_int_equal(rig_count(STAT_requests_in_flight), 0);
    assert_int_equal(rig_faults(FAULT_bad_chunk) + rig_faults(FAULT_client_closed), 0);
}

static void a_body_that_stops_within_the_answer(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Content-Length: 10\r\n") "hel");
    answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\no");
    rig_later(50000);
    assert_has(answered("k"), "k");
    rig_later(11000);
    assert_answer_whole_and_both_closed();
}

static void a_body_that_fails_within_the_answer(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Transfer-Encoding: chunked\r\n") "3\r\nhel\r\n");
    answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");
    rig_say(client, "z\r\n");
    assert_answer_whole_and_both_closed();
    origin = 0;
    ask(ASK("POST", "/", "Content-Length: 10\r\n") "hel");
    answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");
    shutdown(client, SHUT_WR);
    rig_turn();
    assert_answer_whole_and_both_closed();
}

/* Bytes that move are given their time anew, both ways; events of the other side give none. */
static void time_counts_from_the_last_byte(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Content-Length: 5\r\n"));
    for (int i = 0; i < 4; i++) {
        rig_later(50000);
        rig_say(client, "x");
        assert_string_equal(rig_hears(upstream), "x");
    }
    rig_later(50000);
    rig_say(client, "x");
    rig_later(50000); /* the body's time is over with the body, the answer's runs */
    assert_string_equal(rig_hears(client), "");
    assert_has(answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"), "\r\n\r\n1");
    for (int i = 0; i < 4; i++) {
        rig_later(50000);
        assert_string_equal(answered("1"), "1");
    }
    rig_later(30000);
    rig_say(client, "GET /next");
    rig_later(29000);
    assert_false(rig_ended(client));
    rig_later(2000);
    assert_true(list_empty(&rig.worker->client_conns));
    assert_int_equal(rig_faults(FAULT_response_body_timeout), 1);
}

static void no_answer_to_a_body(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Content-Length: 5\r\n") "hel");
    rig_later(50000);
    rig_say(client, "lo");
    rig_later(59000);
    assert_string_equal(rig_hears(client), "");
    rig_later(1100);
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 504 ");
    assert_has(said, "response_head_timeout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        XCHG_TEST(a_truncated_answer),
        XCHG_TEST(an_early_answer),
        XCHG_TEST(the_time_for_each_part),
        XCHG_TEST(a_client_that_reads_nothing),
        XCHG_TEST(a_flow_that_never_pauses),
        XCHG_TEST(a_body_that_never_pauses),
        XCHG_TEST(a_failed_body_leaves_no_time),
        XCHG_TEST(an_answer_instead_of_reading),
        XCHG_TEST(a_refusal_taken_late),
        XCHG_TEST(a_client_that_resets),
        XCHG_TEST(a_client_that_resets_within_the_answer),
        XCHG_TEST(a_body_that_stops_within_the_answer),
        XCHG_TEST(a_body_that_fails_within_the_answer),
        XCHG_TEST(time_counts_from_the_last_byte),
        XCHG_TEST(no_answer_to_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
