/* The exchange through its steps: what the client side gets for what the origin says, and in which
 * order. */
#include "core/exchange/xchg.h"

#include <errno.h>
#include <unistd.h>

#include "core/codec/h1.h"
#include "tests/unit/core/exchange/help_xchg.h"
#include "tests/unit/help_clock.h"

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

/* They lie with the origin's connection, which is not for others until they are written. */
static void trailers_that_wait_for_memory(void **state)
{
    (void)state;
    ask(ASK("GET", "/", "TE: trailers\r\n"));
    assert_has(answered(
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Su"),
               "2\r\nok\r\n");
    rig_exhaust();
    rig_say(upstream, "m: 7\r\n\r\n");
    assert_string_equal(rig_hears(client), "");
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    rig_relieve();
    rig_later(20);
    assert_string_equal(rig_hears(client), "0\r\nX-Sum: 7\r\n\r\n");
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
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
        XCHG_TEST(trailers_that_wait_for_memory),
        XCHG_TEST(interim_answers_without_end),
        XCHG_TEST(switching_unasked),
        XCHG_TEST(switching_as_asked),
        XCHG_TEST(malformed_answers),
        XCHG_TEST(repaired_answers),
        XCHG_TEST(the_body_limit),
        XCHG_TEST(lengths_beyond_32_bits),
        XCHG_TEST(an_answer_at_the_end_of_a_buffer),
        XCHG_TEST(chunks_at_the_end_of_a_buffer),
        cmocka_unit_test(names_of_the_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
