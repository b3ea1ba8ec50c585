/* One side of an exchange: framing undone on reading, made anew on writing, byte for byte. */
#include "core/codec/h1.h"

#include "tests/unit/core/help_engine.h"

static struct memory_end end;

static struct leg leg_on(const char *received)
{
    struct leg l;
    rig.worker->snapshot->conf.limits.head = 1000;
    rig.worker->snapshot->conf.limits.line = 500;
    rig.worker->snapshot->conf.limits.fields = 10;
    memory_leg(&l, &end);
    memory_feed(&end, slice_of(received));
    return l;
}

static void done(struct leg *l)
{
    memory_leg_done(l);
}

static enum flow next_run(struct leg *l, struct slice *run, enum fault *fault)
{
    enum flow f = h1_peek(l, run);
    *fault = (enum fault)l->fault;
    return f;
}

static void took(struct leg *l, size_t n)
{
    h1_took(l, n);
}

/* What the end of the stream means for the body. */
static enum flow ended(struct leg *l)
{
    struct slice run;
    conn_of(l)->eof = true;
    enum flow f = h1_peek(l, &run);
    if (f == FLOW_WAIT)
        f = h1_fill(l);
    return f == FLOW_OK ? h1_peek(l, &run) : f;
}

/* The body, `piece` bytes read at a time and `bite` of each run taken; *last says how it ended. */
static struct slice read_body(struct leg *l, size_t piece, size_t bite, enum flow *last,
                              enum fault *fault)
{
    static char area[4096];
    struct text t = text_in(area, sizeof area);
    struct slice run;
    end.piece = piece;
    while ((*last = next_run(l, &run, fault)) == FLOW_OK || *last == FLOW_WAIT) {
        if (*last == FLOW_WAIT && conn_fill(conn_of(l)) != SOCK_OK)
            break;
        if (*last == FLOW_OK) {
            run.n = run.n < bite ? run.n : bite;
            text_add(&t, run);
            took(l, run.n);
        }
    }
    return text_slice(&t);
}

static void a_length_ends_where_it_says(void **state)
{
    (void)state;
    struct leg l = leg_on("hello, next message");
    struct slice run;
    enum fault f;
    h1_expect_body(&l, BODY_LENGTH, 5);
    assert_int_equal(next_run(&l, &run, &f), FLOW_WAIT);
    assert_int_equal(conn_fill(conn_of(&l)), SOCK_OK);
    assert_int_equal(next_run(&l, &run, &f), FLOW_OK);
    assert_slice(run, "hello");
    took(&l, 2);
    assert_int_equal(next_run(&l, &run, &f), FLOW_OK);
    assert_slice(run, "llo");
    took(&l, 3);
    assert_int_equal(next_run(&l, &run, &f), FLOW_END);
    assert_int_equal(l.taken, 5);
    assert_slice(buf_live(conn_of(&l)->in), ", next message");
    done(&l);
}

/* Nothing of a length is lost at 32 bits, on either side. */
static void lengths_beyond_32_bits(void **state)
{
    (void)state;
    struct leg l = leg_on("hello");
    struct slice run;
    size_t taken;
    enum fault f;
    h1_expect_body(&l, BODY_LENGTH, 1ull << 32);
    assert_int_equal(conn_fill(conn_of(&l)), SOCK_OK);
    assert_int_equal(next_run(&l, &run, &f), FLOW_OK);
    assert_slice(run, "hello");
    h1_expect_body(&l, BODY_LENGTH, (1ull << 32) + 2);
    took(&l, 2);
    assert_int_equal(next_run(&l, &run, &f), FLOW_OK);
    assert_slice(run, "llo");
    took(&l, 3);
    assert_int_equal(next_run(&l, &run, &f), FLOW_WAIT);
    assert_int_equal(ended(&l), FLOW_FAULT);
    h1_announce_body(&l, BODY_LENGTH, 1ull << 32);
    assert_int_equal(h1_put(&l, SLICE("all of it"), &taken), FLOW_OK);
    assert_int_equal(taken, 9);
    h1_announce_body(&l, BODY_LENGTH, (1ull << 32) + 3);
    assert_int_equal(h1_put(&l, SLICE("all of it"), &taken), FLOW_OK);
    assert_int_equal(taken, 9);
    done(&l);
}

static void no_body_is_over_at_once(void **state)
{
    (void)state;
    struct leg l = leg_on("");
    struct slice run;
    enum fault f;
    h1_expect_body(&l, BODY_NONE, 0);
    assert_int_equal(next_run(&l, &run, &f), FLOW_END);
    h1_expect_body(&l, BODY_LENGTH, 0);
    assert_int_equal(next_run(&l, &run, &f), FLOW_END);
    h1_expect_body(&l, BODY_STREAMED, 0);
    assert_int_equal(next_run(&l, &run, &f), FLOW_WAIT);
    done(&l);
}

static void chunks_in_every_split(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 60; piece += 3)
        for (size_t bite = 1; bite < 8; bite += 3) {
            struct leg l = leg_on("5\r\nhello\r\n00A;x=\"y\"\r\n, chunked \r\n5\r\nworld\r\n"
                                  "0\r\nX-Sum: 7\r\nX-More: a b\r\n\r\nGET next");
            enum flow last;
            enum fault f;
            h1_expect_body(&l, BODY_STREAMED, 0);
            struct slice body = read_body(&l, piece, bite, &last, &f);
            assert_int_equal(last, FLOW_END);
            assert_slice(body, "hello, chunked world");
            assert_int_equal(l.taken, body.n);
            assert_int_equal(l.trailers->nfields, 2);
            assert_slice(msg_value(l.trailers, &l.trailers->fields[1]), "a b");
            while (conn_fill(conn_of(&l)) == SOCK_OK)
                ;
            assert_slice(buf_live(conn_of(&l)->in), "GET next");
            done(&l);
        }
}

static void bad_chunks_and_trailers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum fault fault;
    } rows[] = {
        { "5\nhello\r\n0\r\n\r\n", FAULT_bad_chunk },
        { "5\r\nhello0\r\n\r\n", FAULT_bad_chunk },
        { "-1\r\n", FAULT_bad_chunk },
        { "ffffffffffffffff\r\n", FAULT_bad_chunk },
        { "0\r\nContent-Length: 3\r\n\r\n", FAULT_bad_trailer },
        { "0\r\nHost: a\r\n\r\n", FAULT_bad_trailer },
        { "0\r\nAuthorization: b\r\n\r\n", FAULT_bad_trailer },
        { "0\r\nno colon\r\n\r\n", FAULT_bad_trailer },
        { "0\r\nA: b\n\r\n", FAULT_bad_trailer },
        { "0\r\n\rx", FAULT_bad_trailer },
    };
    for (unsigned i = 0; i < countof(rows); i++)
        for (size_t piece = 1; piece < 30; piece += 7) {
            struct leg l = leg_on(rows[i].text);
            enum flow last;
            enum fault f;
            h1_expect_body(&l, BODY_STREAMED, 0);
            (void)read_body(&l, piece, SIZE_MAX, &last, &f);
            if (last != FLOW_FAULT || f != rows[i].fault)
                fail_msg("row %u: %s", i, fault_info(f)->token);
            done(&l);
        }
}

static void a_trailer_section_has_limits(void **state)
{
    (void)state;
    char text[2000] = "0\r\nX: ";
    memset(text + strlen(text), 'x', 1200);
    struct leg l = leg_on(text);
    enum flow last;
    enum fault f;
    h1_expect_body(&l, BODY_STREAMED, 0);
    (void)read_body(&l, SIZE_MAX, SIZE_MAX, &last, &f);
    assert_int_equal(last, FLOW_FAULT);
    assert_int_equal(f, FAULT_bad_trailer);
    done(&l);
}

static void only_one_kind_ends_with_the_stream(void **state)
{
    (void)state;
    struct leg l = leg_on("");
    h1_expect_body(&l, BODY_UNTIL_CLOSE, 0);
    assert_int_equal(ended(&l), FLOW_END);
    assert_int_equal(ended(&l), FLOW_END);
    h1_expect_body(&l, BODY_LENGTH, 1);
    assert_int_equal(ended(&l), FLOW_FAULT);
    h1_expect_body(&l, BODY_STREAMED, 0);
    assert_int_equal(ended(&l), FLOW_FAULT);
    h1_expect_body(&l, BODY_NONE, 0);
    assert_int_equal(ended(&l), FLOW_END);
    done(&l);
}

static void small_runs_ride_with_what_waits(void **state)
{
    (void)state;
    struct leg l = leg_on("");
    struct text t;
    size_t taken;
    assert_true(conn_room(conn_of(&l), 10, &t));
    text_lit(&t, "head\r\n\r\n");
    conn_wrote(conn_of(&l), &t);
    h1_announce_body(&l, BODY_STREAMED, 0);
    assert_int_equal(h1_put(&l, SLICE("hello"), &taken), FLOW_OK);
    assert_int_equal(taken, 5);
    assert_int_equal(h1_put(&l, SLICE("you"), &taken), FLOW_OK);
    assert_int_equal(end.sends, 0);
    assert_int_equal(h1_finish(&l, NULL), FLOW_OK);
    assert_int_equal(end.sends, 1);
    assert_slice(memory_out(&end), "head\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n");
    assert_true(l.out_done);
    assert_int_equal(l.bytes_out, 31);
    assert_int_equal(h1_finish(&l, NULL), FLOW_OK); /* reported once */
    assert_int_equal(memory_out(&end).n, 31);
    done(&l);
}

static void large_runs_go_from_where_they_are(void **state)
{
    (void)state;
    static char run[20000];
    memset(run, 'r', sizeof run);
    struct leg l = leg_on("");
    size_t taken;
    h1_announce_body(&l, BODY_LENGTH, sizeof run);
    assert_int_equal(h1_put(&l, (struct slice){ run, sizeof run }, &taken), FLOW_OK);
    assert_int_equal(taken, sizeof run);
    assert_null(conn_of(&l)->out);
    assert_int_equal(end.sends, 1);
    done(&l);
}

/* One chunk header for the whole run, however many calls it takes; nothing twice, nothing lost. */
static void a_chunk_over_partial_writes(void **state)
{
    (void)state;
    static char run[9000];
    for (size_t i = 0; i < sizeof run; i++)
        run[i] = (char)('a' + i % 23);
    for (size_t quota = 1; quota < 12000; quota = quota * 2 + 1) {
        struct leg l = leg_on("");
        struct slice rest = { run, sizeof run };
        size_t taken;
        enum flow r;
        h1_announce_body(&l, BODY_STREAMED, 0);
        memory_allow(&end, quota);
        while ((r = h1_put(&l, rest, &taken)) == FLOW_WAIT || rest.n > taken) {
            assert_int_not_equal(r, FLOW_FAULT);
            rest = slice_skip(rest, taken);
            memory_allow(&end, quota);
        }
        assert_int_equal(r, FLOW_OK);
        while (h1_finish(&l, NULL) == FLOW_WAIT)
            memory_allow(&end, quota);
        struct slice out = memory_out(&end);
        assert_int_equal(out.n, 6 + sizeof run + 2 + 5);
        assert_memory_equal(out.p, "2328\r\n", 6);
        assert_memory_equal(out.p + 6, run, sizeof run);
        assert_memory_equal(out.p + 6 + sizeof run, "\r\n0\r\n\r\n", 7);
        assert_int_equal(l.bytes_out, out.n);
        done(&l);
    }
}

static void not_a_byte_beyond_the_length(void **state)
{
    (void)state;
    struct leg l = leg_on("");
    size_t taken;
    h1_announce_body(&l, BODY_LENGTH, 4);
    assert_int_equal(h1_put(&l, SLICE("seven..."), &taken), FLOW_OK);
    assert_int_equal(taken, 4);
    assert_int_equal(h1_finish(&l, NULL), FLOW_OK);
    assert_slice(memory_out(&end), "seve");
    done(&l);
}

static void trailers_behind_the_last_chunk(void **state)
{
    (void)state;
    struct leg l = leg_on("");
    struct msg trailers;
    size_t taken;
    msg_init(&trailers, l.arena);
    msg_add(&trailers, SLICE("X-Sum"), SLICE("7"));
    h1_announce_body(&l, BODY_STREAMED, 0);
    assert_int_equal(h1_put(&l, SLICE("x"), &taken), FLOW_OK);
    assert_int_equal(h1_finish(&l, &trailers), FLOW_OK);
    assert_slice(memory_out(&end), "1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n");
    done(&l);
    l = leg_on("");
    h1_announce_body(&l, BODY_UNTIL_CLOSE, 0);
    assert_int_equal(h1_put(&l, SLICE("raw"), &taken), FLOW_OK);
    assert_int_equal(h1_finish(&l, NULL), FLOW_OK);
    assert_slice(memory_out(&end), "raw");
    done(&l);
}

/* A small run for which there is no buffer to be copied to goes from where it is. What is left of it
 * waits for the peer, whose clock it is then, and the connection for nothing when all has gone. */
static void what_goes_without_memory_does_not_wait_for_it(void **state)
{
    (void)state;
    struct leg l = leg_on("");
    size_t taken;
    h1_announce_body(&l, BODY_LENGTH, 100000);
    rig_exhaust();
    memory_allow(&end, 3);
    assert_int_equal(h1_put(&l, SLICE("hello"), &taken), FLOW_WAIT);
    assert_int_equal(taken, 3);
    assert_false(l.memory);
    assert_false(conn_of(&l)->awaits_memory);
    rig_relieve();
    done(&l);
}

static void without_memory_it_waits(void **state)
{
    (void)state;
    struct leg l = leg_on("");
    size_t taken;
    rig_exhaust();
    h1_announce_body(&l, BODY_STREAMED, 0);
    assert_int_equal(h1_put(&l, SLICE("x"), &taken), FLOW_WAIT);
    assert_int_equal(taken, 0);
    assert_true(conn_of(&l)->awaits_memory);
    assert_int_equal(h1_finish(&l, NULL), FLOW_WAIT);
    rig_relieve();
    assert_int_equal(h1_put(&l, SLICE("x"), &taken), FLOW_OK);
    assert_int_equal(h1_finish(&l, NULL), FLOW_OK);
    assert_slice(memory_out(&end), "1\r\nx\r\n0\r\n\r\n");
    done(&l);
}

/* The data of a chunk went from where they are, and for the CRLF behind them there is no buffer. */
static void the_end_of_a_chunk_is_owed(void **state)
{
    (void)state;
    static char run[9000];
    memset(run, 'x', sizeof run);
    struct leg l = leg_on("");
    struct slice rest = { run, sizeof run };
    size_t taken;
    h1_announce_body(&l, BODY_STREAMED, 0);
    memory_allow(&end, 100);
    assert_int_equal(h1_put(&l, rest, &taken), FLOW_WAIT);
    rest = slice_skip(rest, taken);
    assert_int_equal(conn_flush(conn_of(&l)), SOCK_OK); /* gives the empty buffer back */
    rig_exhaust();
    memory_allow(&end, 20000);
    assert_int_equal(h1_put(&l, rest, &taken), FLOW_WAIT);
    assert_int_equal(taken, rest.n);
    rig_relieve();
    assert_int_equal(h1_put(&l, SLICE("y"), &taken), FLOW_OK);
    assert_int_equal(h1_finish(&l, NULL), FLOW_OK);
    struct slice out = memory_out(&end);
    assert_int_equal(out.n, 6 + sizeof run + 2 + 6 + 5);
    assert_memory_equal(out.p + 6 + sizeof run, "\r\n1\r\ny\r\n0\r\n\r\n", 13);
    done(&l);
}

static void a_broken_sink(void **state)
{
    (void)state;
    static char run[9000];
    struct leg l = leg_on("");
    size_t taken;
    h1_announce_body(&l, BODY_UNTIL_CLOSE, 0);
    end.out_breaks = true;
    assert_int_equal(h1_put(&l, (struct slice){ run, sizeof run }, &taken), FLOW_FAULT);
    assert_true(conn_of(&l)->write_failed);
    done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_length_ends_where_it_says),
        RIG_TEST(no_body_is_over_at_once),
        RIG_TEST(lengths_beyond_32_bits),
        RIG_TEST(chunks_in_every_split),
        RIG_TEST(bad_chunks_and_trailers),
        RIG_TEST(a_trailer_section_has_limits),
        RIG_TEST(only_one_kind_ends_with_the_stream),
        RIG_TEST(small_runs_ride_with_what_waits),
        RIG_TEST(large_runs_go_from_where_they_are),
        RIG_TEST(a_chunk_over_partial_writes),
        RIG_TEST(not_a_byte_beyond_the_length),
        RIG_TEST(trailers_behind_the_last_chunk),
        RIG_TEST(what_goes_without_memory_does_not_wait_for_it),
        RIG_TEST(without_memory_it_waits),
        RIG_TEST(the_end_of_a_chunk_is_owed),
        RIG_TEST(a_broken_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
