/* The exchange through its steps: what the client side gets for what the origin says, in which
 * order, and what ends it early. */
#include "core/exchange/xchg.h"

#include <errno.h>
#include <unistd.h>

#include "core/codec/h1.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_clock.h"

#define ASK(method, path, more)                                                                    \
    method " http://one.test" path " HTTP/1.1\r\nHost: one.test\r\n" more "\r\n"

static int client, origin, upstream;

static void begin(const char *request)
{
    if (origin == 0) {
        origin = rig_origin();
        client = rig_client_tcp();
    }
    rig_say(client, request);
}

static int set_up(void **state)
{
    origin = client = upstream = 0;
    return rig_set_up(state);
}

#define XCHG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

static void ask(const char *request)
{
    begin(request);
    upstream = rig_accept(origin);
    rig_hears(upstream);
}

static const char *answered(const char *answer)
{
    rig_say(upstream, answer);
    return rig_hears(client);
}

static void framing_is_made_anew(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    assert_string_equal(
        answered("HTTP/1.1 200 Fine\r\nDate: d\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"),
        "HTTP/1.1 200 Fine\r\nDate: d\r\nX: y\r\nContent-Length: 5\r\n\r\nhello");
    begin(ASK("GET", "/", "")); /* on the same connections */
    rig_hears(upstream);
    assert_string_equal(answered("HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "5;x=y\r\nhello\r\n0\r\n\r\n"),
                        "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n0\r\n\r\n");
    begin(ASK("HEAD", "/", ""));
    rig_hears(upstream);
    assert_string_equal(answered("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 5\r\n\r\n"),
                        "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 5\r\n\r\n");
    begin(ASK("GET", "/", ""));
    rig_hears(upstream);
    assert_string_equal(answered(
                            "HTTP/1.1 304 Not Modified\r\nDate: d\r\nContent-Length: 5\r\n\r\n"),
                        "HTTP/1.1 304 Not Modified\r\nDate: d\r\nContent-Length: 5\r\n\r\n");
    begin(ASK("GET", "/", ""));
    rig_hears(upstream);
    assert_string_equal(
        answered("HTTP/1.1 200 OK\r\nDate: d\r\n\r\nuntil"),
        "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nuntil\r\n");
    rig_close(upstream);
    assert_string_equal(rig_hears(client), "0\r\n\r\n");
}

/* RFC 9110 section 6.6.1: an answer without a date gets one. */
static void a_date_is_added(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    const char *said = answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_begins(said, "HTTP/1.1 200 OK\r\nDate: ");
    assert_has(said, " GMT\r\nContent-Length: 0\r\n\r\n");
}

/* Trailers go to those who take them, and so does their announcement. */
static void announced_trailers(void **state)
{
    (void)state;
    static const char with[] = "HTTP/1.1 200 OK\r\nDate: d\r\nTrailer: X-Sum\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n";
    ask(ASK("GET", "/", "TE: trailers\r\nConnection: TE\r\n"));
    assert_string_equal(answered(with), with);
    begin(ASK("GET", "/", ""));
    rig_hears(upstream);
    assert_string_equal(answered(with), "HTTP/1.1 200 OK\r\nDate: d\r\n"
                                        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

static void an_old_client(void **state)
{
    (void)state;
    ask("GET http://one.test/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_string_equal(answered("HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "5\r\nhello\r\n0\r\n\r\n"),
                        "HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\n\r\nhello");
    assert_true(rig_ended(client));
    origin = 0; /* nor does it know an interim answer */
    ask("GET http://one.test/ HTTP/1.0\r\n\r\n");
    assert_string_equal(answered("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "");
    assert_begins(answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
}

static void interim_answers(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    assert_string_equal(answered("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
                        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    assert_begins(answered("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                           "Content-Length: 0\r\n\r\n"),
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
    assert_int_equal(rig_count(STAT_responses_1xx), 2);
}

/* The search for the end of the next head begins anew: it may be shorter than the one before. */
static void a_long_interim_answer_and_a_short_one(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    answered(
        "HTTP/1.1 103 Early Hints\r\nLink: </a/long/way/to/a/style/sheet>; rel=preload\r\n\r\n");
    assert_begins(answered("HTTP/1.1 204 No\r\n\r\n"), "HTTP/1.1 204 No\r\n");
}

/* A client that waits for 100 has the time for the body from then on. */
static void the_time_from_100_continue(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    rig_later(50000);
    assert_begins(answered("HTTP/1.1 100 Continue\r\n\r\n"), "HTTP/1.1 100 ");
    rig_later(50000);
    assert_string_equal(rig_hears(client), "");
    rig_later(11000);
    assert_has(rig_hears(client), "request_body_timeout");
}

static void interim_answers_without_end(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    const char *said = "";
    int n = 0;
    for (; n < 100 && strstr(said, " 502 ") == NULL; n++)
        said = answered("HTTP/1.1 102 Processing\r\n\r\n");
    assert_has(said, "response_malformed");
    assert_int_equal(n, MOST_INTERIM + 1);
}

/* What was read with the head and is not a whole yet moves along when more is read. */
static void a_trailer_that_came_in_pieces(void **state)
{
    (void)state;
    ask(ASK("POST", "/", "Transfer-Encoding: chunked\r\n") "2\r\nok\r\n0\r\nX-Su");
    rig_say(client, "m: 7\r\n");
    assert_string_equal(rig_hears(upstream), "");
    rig_say(client, "\r\n");
    assert_string_equal(rig_hears(upstream), "0\r\nX-Sum: 7\r\n\r\n");
}

static void switching_unasked(void **state)
{
    (void)state;
    ask(ASK("GET", "/", ""));
    assert_has(answered(
                   "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
               "response_bad_upgrade");
}

static void switching_as_asked(void **state)
{
    (void)state;
    ask(ASK("GET", "/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    const char *said = answered("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n"
                                "Upgrade: websocket\r\n\r\nfirst frame");
    assert_begins(said, "HTTP/1.1 101 Switching\r\n");
    assert_has(said, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst frame");
    rig_say(client, "a frame");
    assert_string_equal(rig_hears(upstream), "a frame");
    assert_int_equal(rig_count(STAT_tunnels_open), 1);
}

static void malformed_answers(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    };
    for (unsigned i = 0; i < countof(answers); i++) {
        ask(ASK("GET", "/", ""));
        const char *said = answered(answers[i]);
        assert_begins(said, "HTTP/1.1 502 ");
        assert_has(said, "response_");
        assert_true(rig_ended(upstream) || rig_reset(upstream));
    }
}

static u64 repair_count(enum repair r)
{
    return atomic_load(&rig.worker->stats->repair[r]);
}

/* What is repaired is answered, counted once, and the last on its connection: in the head, in an
 * interim answer before it, and in the body. */
static void repaired_answers(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum repair kind;
    } rows[] = {
        { "HTTP/1.1 200 OK\nX: a\nContent-Length: 2\n\nok", REPAIR_line_end },
        { "HTTP/1.1 103 Early\r\nX : a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
          REPAIR_blank_before_colon },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
          REPAIR_chunk_blanks },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nHost: a\r\n\r\n",
          REPAIR_trailer_field },
    };
    for (unsigned i = 0; i < countof(rows); i++) {
        ask(ASK("GET", "/", ""));
        const char *said = answered(rows[i].answer);
        assert_has(said, "HTTP/1.1 200 OK\r\n");
        assert_has(said, "ok");
        assert_int_equal(repair_count(rows[i].kind), 1);
        assert_true(rig_ended(upstream) || rig_reset(upstream));
    }
}

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

static void the_body_limit(void **state)
{
    (void)state;
    rig.snapshot->conf.limits.body = 5;
    begin(ASK("POST", "/", "Content-Length: 6\r\n"));
    assert_has(rig_hears(client), "body_too_large");
    origin = 0;
    ask(ASK("POST", "/", "Transfer-Encoding: chunked\r\n"));
    rig_say(client, "5\r\nhello\r\n1\r\n!\r\n");
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 413 ");
    assert_true(rig_ended(upstream) || rig_reset(upstream));
}

/* The length is passed on whole, and neither side takes 5 bytes for all of 2^32 + 5. */
static void lengths_beyond_32_bits(void **state)
{
    (void)state;
    ask(ASK("HEAD", "/", ""));
    assert_has(answered("HTTP/1.1 200 OK\r\nContent-Length: 4294967301\r\n\r\n"),
               "\r\nContent-Length: 4294967301\r\n");
    begin(ASK("POST", "/", "Content-Length: 4294967301\r\n") "hello");
    const char *said = rig_hears(upstream);
    assert_has(said, "\r\nContent-Length: 4294967301\r\n");
    assert_has(said, "\r\n\r\nhello");
    rig_say(client, "GET / HTTP/1.1");
    assert_string_equal(rig_hears(upstream), "GET / HTTP/1.1");
    rig_close(client);
    rig_turn();
    origin = 0;
    ask(ASK("GET", "/", ""));
    said = answered("HTTP/1.1 200 OK\r\nContent-Length: 4294967301\r\n\r\nhello");
    assert_has(said, "\r\nContent-Length: 4294967301\r\n");
    assert_has(said, "\r\n\r\nhello");
    assert_string_equal(answered("HTTP/1.1 200"), "HTTP/1.1 200");
    rig_close(upstream);
    rig_turn();
    assert_true(rig_ended(client) || rig_reset(client));
    assert_int_equal(rig_faults(FAULT_response_truncated), 1);
    rig.snapshot->conf.limits.body = 5;
    origin = 0;
    begin(ASK("POST", "/", "Content-Length: 4294967297\r\n"));
    assert_has(rig_hears(client), "body_too_large");
}

static char large[80000];

/* `head`, a line that fills up to `at`, and `tail`, sent to fd in one piece. */
static void say_padded(int fd, const char *head, size_t at, const char *tail)
{
    size_t n = strlen(head);
    memset(large, 'x', at);
    memcpy(large, head, n);
    strcpy(large + at, tail);
    n = strlen(large);
    assert_int_equal(send(fd, large, n, MSG_NOSIGNAL), n);
    rig_turn();
}

/* The end of an answer's head on either side of the end of each buffer. */
static void an_answer_at_the_end_of_a_buffer(void **state)
{
    (void)state;
    static const struct {
        const char *tail, *begins;
    } rows[] = {
        { "\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n" },
        { "\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 502 " },
        { "\r\nContent-Length: 2\r\r\n\r\nok", "HTTP/1.1 502 " },
        { "\r\nContent-Length: 2\n\r\nok", "HTTP/1.1 200 OK\r\n" },
        { "\r\nContent-Length : 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n" },
        { "\r\nContent-Length: 2\r\n\nok", "HTTP/1.1 200 OK\r\n" },
        { "\r\nContent-Length:\r\n 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n" },
    };
    rig.snapshot->conf.limits.clients_per_address = 10000;
    for (unsigned i = 0; i < countof(rows); i++)
        for (size_t at = 16384 - sizeof(struct buf) - 30; at <= 16384 - sizeof(struct buf); at++) {
            ask(ASK("GET", "/", ""));
            say_padded(upstream, "HTTP/1.1 200 OK\r\nX: ", at, rows[i].tail);
            const char *said = rig_hears(client);
            assert_begins(said, rows[i].begins);
            if (strstr(rows[i].begins, "200"))
                assert_string_equal(said + strlen(said) - 6, "\r\n\r\nok");
            rig_close(upstream);
            rig_close(client);
            rig_close(origin);
            origin = 0;
        }
}

/* A chunk's line, its end, the last chunk and the trailer, in both directions, likewise. */
static void chunks_at_the_end_of_a_buffer(void **state)
{
    (void)state;
    static const struct {
        const char *tail;
        bool good;
    } rows[] = {
        { "\r\n00a;x=\"y\"\r\nabcdefghij\r\n000\r\nX-Sum: 7\r\n\r\n", true },
        { "\r\n00a;x=\"y\r\nabcdefghij\r\n000\r\nX-Sum: 7\r\n\r\n", false },
        { "\r\n00a\nabcdefghij\r\n000\r\nX-Sum: 7\r\n\r\n", false },
        { "\r\n00a\r\nabcdefghijk\r\n000\r\nX-Sum: 7\r\n\r\n", false },
        { "\r\n00a\r\nabcdefghij\n000\r\nX-Sum: 7\r\n\r\n", false },
        { "\r\n00a\r\nabcdefghij\r\n000\r\nX-Sum: 7\r\r\n\r\n", false },
        { "\r\n00a\r\nabcdefghij\r\n000\r\nX-Sum 7\r\n\r\n", false },
        { "\r\n00a \r\nabcdefghij\r\n000 \r\nX-Sum: 7\r\n\r\n", true },
        { "\r\n00a\r\nabcdefghij\r\n000\r\nX-Sum : 7\r\n\r\n", true },
        { "\r\n00a\r\nabcdefghij\r\n000\r\nX-Sum: 7\n\r\n", true },
        { "\r\n00a\r\nabcdefghij\r\n000\r\nHost: 7\r\nX-Sum: 7\r\n\r\n", true },
        { "\r\n00a\r\nabcdefghij\r\n000\r\nX-Sum: 7\r\n\n", true },
    };
    enum { CHUNK = 0x3f00, BACK = 60 };
    const char *head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: ";
    rig.snapshot->conf.limits.clients_per_address = 10000;
    for (unsigned i = 0; i < countof(rows); i++)
        for (unsigned back = 0; back <= BACK; back++) {
            size_t end = 16384 - sizeof(struct buf) - back;
            char body[CHUNK + 100];
            memcpy(body, "\r\n\r\n3f00\r\n", 10);
            memset(body + 10, 'd', CHUNK);
            strcpy(body + 10 + CHUNK, rows[i].tail);
            ask(ASK("GET", "/", "TE: trailers\r\n"));
            say_padded(upstream, head, end - CHUNK - 10, body);
            const char *said = rig_hears(client);
            const char *last = said + strlen(said) - 15;
            assert_begins(said, "HTTP/1.1 200 OK\r\n");
            if (rows[i].good)
                assert_string_equal(last, "0\r\nX-Sum: 7\r\n\r\n");
            else
                assert_has_not(said, "\r\n0\r\n");
            rig_close(upstream);
            rig_close(client);
            rig_close(origin);
            origin = 0;
        }
}

static void names_of_the_steps(void **state)
{
    (void)state;
    static const struct stage *const none[] = { NULL };
    static const struct role role = { .request_stages = none };
    struct xchg *x = calloc(1, sizeof *x);
    x->role = &role;
    for (x->step = 0; x->step < STEP_COUNT; x->step++)
        assert_true(strlen(xchg_doing(x)) > 3);
    x->step = STEP_await;
    assert_string_equal(xchg_doing(x), "waiting for the answer");
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        XCHG_TEST(framing_is_made_anew),
        XCHG_TEST(a_date_is_added),
        XCHG_TEST(announced_trailers),
        XCHG_TEST(an_old_client),
        XCHG_TEST(interim_answers),
        XCHG_TEST(a_long_interim_answer_and_a_short_one),
        XCHG_TEST(the_time_from_100_continue),
        XCHG_TEST(a_trailer_that_came_in_pieces),
        XCHG_TEST(interim_answers_without_end),
        XCHG_TEST(switching_unasked),
        XCHG_TEST(switching_as_asked),
        XCHG_TEST(malformed_answers),
        XCHG_TEST(repaired_answers),
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
        XCHG_TEST(the_body_limit),
        XCHG_TEST(a_client_that_resets_within_the_answer),
        XCHG_TEST(a_body_that_stops_within_the_answer),
        XCHG_TEST(a_body_that_fails_within_the_answer),
        XCHG_TEST(time_counts_from_the_last_byte),
        XCHG_TEST(no_answer_to_a_body),
        XCHG_TEST(lengths_beyond_32_bits),
        XCHG_TEST(an_answer_at_the_end_of_a_buffer),
        XCHG_TEST(chunks_at_the_end_of_a_buffer),
        cmocka_unit_test(names_of_the_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
