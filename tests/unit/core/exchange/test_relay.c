/* Bodies from leg to leg: every split on both sides, back-pressure, trailers, limits, ends. */
#include "core/exchange/relay.h"

#include "core/codec/h1.h"

#include "tests/unit/core/help_engine.h"

static struct memory_end from_end, to_end;
static struct leg from, to;
static struct relay relay;

static void start(enum body_kind in, u64 length, enum body_kind out)
{
    memory_leg(&from, &from_end);
    memory_leg(&to, &to_end);
    h1_expect_body(&from, in, length);
    h1_announce_body(&to, out, length);
    relay = (struct relay){
        .from = leg_source(&from), .to = leg_sink(&to), .most = UINT64_MAX, .trailers = true
    };
}

static void stop(void)
{
    memory_leg_done(&from);
    memory_leg_done(&to);
}

static enum relay_result turn(void)
{
    enum relay_result r = relay_turn(&relay);
    if (r != RELAY_SOURCE_FAULT)
        assert_int_equal(from.fault, FAULT_NONE);
    return r;
}

/* To the end, whatever it takes; the sink takes `quota` bytes at a time. */
static enum relay_result run(size_t quota)
{
    enum relay_result r;
    memory_allow(&to_end, quota);
    while ((r = turn()) == RELAY_WAIT_SINK || r == RELAY_YIELD)
        memory_allow(&to_end, quota);
    return r;
}

#define CHUNKED_BODY "5\r\nhello\r\n9\r\n, chunked\r\n6\r\n world\r\n0\r\nX-Sum: 7\r\n\r\n"

static void every_split(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 64; piece += 5)
        for (size_t quota = 1; quota < 64; quota += 7) {
            start(BODY_STREAMED, 0, BODY_UNTIL_CLOSE);
            from_end.piece = piece;
            memory_feed(&from_end, SLICE(CHUNKED_BODY));
            assert_int_equal(run(quota), RELAY_DONE);
            assert_slice(memory_out(&to_end), "hello, chunked world");
            stop();
            start(BODY_LENGTH, 20, BODY_LENGTH);
            from_end.piece = piece;
            memory_feed(&from_end, SLICE("hello, chunked world"));
            assert_int_equal(run(quota), RELAY_DONE);
            assert_slice(memory_out(&to_end), "hello, chunked world");
            stop();
        }
}

/* Chunks are made anew, of what one read brought; undone again they are the body. */
static void chunks_are_made_anew(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 64; piece += 5)
        for (size_t quota = 1; quota < 64; quota += 7) {
            static struct memory_end back_end;
            start(BODY_STREAMED, 0, BODY_STREAMED);
            from_end.piece = piece;
            memory_feed(&from_end, SLICE(CHUNKED_BODY));
            assert_int_equal(run(quota), RELAY_DONE);
            struct leg back;
            memory_leg(&back, &back_end);
            h1_expect_body(&back, BODY_STREAMED, 0);
            memory_feed(&back_end, memory_out(&to_end));
            assert_int_equal(conn_fill(conn_of(&back)), SOCK_OK);
            char area[64];
            struct text t = text_in(area, sizeof area);
            struct slice run_of;
            while (h1_peek(&back, &run_of) == FLOW_OK) {
                text_add(&t, run_of);
                h1_took(&back, run_of.n);
            }
            assert_true(back.in_done);
            assert_slice(text_slice(&t), "hello, chunked world");
            assert_int_equal(back.trailers->nfields, 1);
            const struct buf *in = conn_of(&back)->in;
            assert_true(in == NULL || buf_len(in) == 0);
            memory_leg_done(&back);
            stop();
        }
}

static void trailers_only_for_who_understands_them(void **state)
{
    (void)state;
    start(BODY_STREAMED, 0, BODY_STREAMED);
    memory_feed(&from_end, SLICE("1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n"));
    assert_int_equal(run(SIZE_MAX), RELAY_DONE);
    assert_slice(memory_out(&to_end), "1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n");
    stop();
    start(BODY_STREAMED, 0, BODY_STREAMED);
    relay.trailers = false;
    memory_feed(&from_end, SLICE("1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n"));
    assert_int_equal(run(SIZE_MAX), RELAY_DONE);
    assert_slice(memory_out(&to_end), "1\r\nx\r\n0\r\n\r\n");
    stop();
}

/* A sink that takes nothing stops the reading: one buffer waits here, not the whole body. */
static void back_pressure(void **state)
{
    (void)state;
    static char body[1 << 18];
    start(BODY_LENGTH, sizeof body, BODY_LENGTH);
    memory_feed(&from_end, (struct slice){ body, sizeof body });
    memory_allow(&to_end, 0);
    assert_int_equal(turn(), RELAY_WAIT_SINK);
    unsigned reads = from_end.reads;
    for (int i = 0; i < 5; i++)
        assert_int_equal(turn(), RELAY_WAIT_SINK);
    assert_int_equal(from_end.reads, reads);
    assert_true(rig.worker->bufs.in_use < 40000);
    assert_int_equal(run(SIZE_MAX), RELAY_DONE);
    assert_int_equal(memory_out(&to_end).n, sizeof body);
    stop();
}

/* What is ready is not held back while more is awaited: event streams. */
static void nothing_waits_with_the_source(void **state)
{
    (void)state;
    start(BODY_STREAMED, 0, BODY_STREAMED);
    memory_feed(&from_end, SLICE("9\r\ndata: 1\n\n\r\n"));
    assert_int_equal(turn(), RELAY_WAIT_SOURCE);
    assert_slice(memory_out(&to_end), "9\r\ndata: 1\n\n\r\n");
    memory_feed(&from_end, SLICE("9\r\ndata: 2\n\n\r\n"));
    memory_allow(&to_end, 3);
    assert_int_equal(turn(), RELAY_WAIT_SINK);
    assert_int_equal(run(SIZE_MAX), RELAY_WAIT_SOURCE);
    assert_slice(memory_out(&to_end), "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n");
    stop();
}

static enum relay_result run_to_the_end_of(enum body_kind in, u64 length, const char *text)
{
    start(in, length, in == BODY_LENGTH ? BODY_LENGTH : BODY_STREAMED);
    memory_feed(&from_end, slice_of(text));
    memory_feed_end(&from_end);
    enum relay_result r = run(SIZE_MAX);
    return r;
}

static void a_truncated_source(void **state)
{
    (void)state;
    assert_int_equal(run_to_the_end_of(BODY_LENGTH, 10, "short"), RELAY_SOURCE_FAULT);
    stop();
    assert_int_equal(run_to_the_end_of(BODY_STREAMED, 0, "5\r\nhello\r\n"), RELAY_SOURCE_FAULT);
    assert_has_not(to_end.out, "0\r\n\r\n"); /* never made to look whole */
    stop();
    assert_int_equal(run_to_the_end_of(BODY_STREAMED, 0, "5\r\nhello\r\n0\r\nX"),
                     RELAY_SOURCE_FAULT);
    stop();
    assert_int_equal(run_to_the_end_of(BODY_UNTIL_CLOSE, 0, "hello"), RELAY_DONE);
    assert_slice(memory_out(&to_end), "5\r\nhello\r\n0\r\n\r\n");
    stop();
    start(BODY_UNTIL_CLOSE, 0, BODY_UNTIL_CLOSE);
    from_end.in_breaks = true; /* a reset is no end */
    memory_feed(&from_end, SLICE("hello"));
    assert_int_equal(run(SIZE_MAX), RELAY_SOURCE_FAULT);
    stop();
}

/* A failed write takes the reset away, and an end is read in its place. */
static void the_end_of_one_that_takes_no_more(void **state)
{
    (void)state;
    start(BODY_UNTIL_CLOSE, 0, BODY_STREAMED);
    conn_of(&from)->write_failed = true;
    memory_feed(&from_end, SLICE("hello"));
    memory_feed_end(&from_end);
    assert_int_equal(run(SIZE_MAX), RELAY_SOURCE_FAULT);
    assert_false(to.out_done);
    stop();
}

static void a_malformed_source(void **state)
{
    (void)state;
    start(BODY_STREAMED, 0, BODY_STREAMED);
    memory_feed(&from_end, SLICE("5\r\nhello\r\nz\r\n"));
    assert_int_equal(relay_turn(&relay), RELAY_SOURCE_FAULT);
    assert_int_equal(from.fault, FAULT_bad_chunk);
    stop();
}

static void the_body_limit(void **state)
{
    (void)state;
    start(BODY_STREAMED, 0, BODY_STREAMED);
    relay.most = 5;
    memory_feed(&from_end, SLICE("5\r\nhello\r\n1\r\n!\r\n"));
    assert_int_equal(relay_turn(&relay), RELAY_TOO_LARGE);
    stop();
    start(BODY_STREAMED, 0, BODY_STREAMED);
    relay.most = 5;
    memory_feed(&from_end, SLICE("5\r\nhello\r\n0\r\n\r\n"));
    assert_int_equal(run(SIZE_MAX), RELAY_DONE);
    stop();
}

static void a_share_of_the_turn(void **state)
{
    (void)state;
    static char body[1 << 18];
    start(BODY_LENGTH, sizeof body, BODY_LENGTH);
    from_end.piece = 1000;
    memory_feed(&from_end, (struct slice){ body, sizeof body });
    assert_int_equal(turn(), RELAY_YIELD);
    assert_true(from_end.reads >= 2 && from_end.reads < 20);
    assert_int_equal(run(SIZE_MAX), RELAY_DONE);
    stop();
}

static void a_broken_sink(void **state)
{
    (void)state;
    start(BODY_LENGTH, 5, BODY_LENGTH);
    to_end.out_breaks = true;
    memory_feed(&from_end, SLICE("hello"));
    assert_int_equal(turn(), RELAY_SINK_BROKEN);
    stop();
}

static void done_only_when_flushed(void **state)
{
    (void)state;
    start(BODY_LENGTH, 5, BODY_LENGTH);
    memory_feed(&from_end, SLICE("hello"));
    memory_allow(&to_end, 4);
    assert_int_equal(turn(), RELAY_WAIT_SINK);
    assert_int_equal(turn(), RELAY_WAIT_SINK);
    memory_allow(&to_end, 4);
    assert_int_equal(turn(), RELAY_DONE);
    assert_slice(memory_out(&to_end), "hello");
    stop();
}

/* A copy that takes `most` bytes and then refuses; it hears its end once. */
struct tee {
    char got[30000];
    size_t n, most;
    unsigned finished, dropped, trailers;
    bool waits_at_the_end;
};

static enum flow tee_put(void *self, struct slice run, size_t *taken)
{
    struct tee *t = self;
    assert_int_equal(t->finished + t->dropped, 0);
    *taken = run.n < t->most - t->n ? run.n : t->most - t->n;
    memcpy(t->got + t->n, run.p, *taken);
    t->n += *taken;
    return *taken == run.n ? FLOW_OK : FLOW_WAIT;
}

static enum flow tee_finish(void *self, const struct msg *with)
{
    struct tee *t = self;
    assert_int_equal(t->finished + t->dropped, 0);
    if (t->waits_at_the_end)
        return FLOW_WAIT;
    t->finished++;
    t->trailers = with ? with->nfields : 0;
    return FLOW_OK;
}

static void tee_drop(void *self, enum fault why)
{
    struct tee *t = self;
    assert_int_equal(t->finished + t->dropped, 0);
    assert_int_equal(why, FAULT_NONE);
    t->dropped++;
}

static const struct sink_ops tee_ops = { tee_put, tee_finish, NULL, tee_drop, NULL };

/* The first sink never waits for it, nor gets anything else than without it. */
static void a_copy_that_refuses_at_each_byte(void **state)
{
    (void)state;
    enum { LENGTH = 20 };
    for (size_t most = 0; most <= LENGTH; most++)
        for (size_t quota = 1; quota < 32; quota += 6) {
            struct tee tee = { .most = most };
            start(BODY_STREAMED, 0, BODY_UNTIL_CLOSE);
            relay.tee = (struct sink){ &tee_ops, &tee };
            from_end.piece = 7;
            memory_feed(&from_end, SLICE(CHUNKED_BODY));
            assert_int_equal(run(quota), RELAY_DONE);
            assert_slice(memory_out(&to_end), "hello, chunked world");
            assert_int_equal(tee.finished, most == LENGTH);
            assert_int_equal(tee.dropped, most < LENGTH);
            assert_int_equal(tee.n, most);
            assert_memory_equal(tee.got, "hello, chunked world", tee.n);
            assert_int_equal(tee.trailers, most == LENGTH);
            stop();
        }
}

/* Large runs go in pieces, as the socket takes them, and the copy has the same pieces. */
static void a_copy_of_what_was_taken(void **state)
{
    (void)state;
    static char body[30000];
    static struct tee tee;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 >> 3);
    tee = (struct tee){ .most = sizeof body };
    start(BODY_LENGTH, sizeof body, BODY_LENGTH);
    relay.tee = (struct sink){ &tee_ops, &tee };
    memory_feed(&from_end, (struct slice){ body, sizeof body });
    assert_int_equal(run(5000), RELAY_DONE);
    assert_int_equal(tee.n, sizeof body);
    assert_memory_equal(tee.got, body, sizeof body);
    assert_int_equal(tee.finished, 1);
    stop();
}

static void a_copy_that_is_not_to_be(void **state)
{
    (void)state;
    struct tee tee = { .most = 20, .waits_at_the_end = true };
    start(BODY_LENGTH, 5, BODY_LENGTH);
    relay.tee = (struct sink){ &tee_ops, &tee };
    memory_feed(&from_end, SLICE("hello"));
    assert_int_equal(run(SIZE_MAX), RELAY_DONE);
    assert_int_equal(tee.dropped, 1); /* it would have been waited for */
    stop();
    tee = (struct tee){ .most = 20 };
    start(BODY_LENGTH, 20, BODY_LENGTH);
    relay.tee = (struct sink){ &tee_ops, &tee };
    memory_feed(&from_end, SLICE("hello"));
    assert_int_equal(turn(), RELAY_WAIT_SOURCE);
    assert_int_equal(tee.dropped + tee.finished, 0);
    to_end.out_breaks = true;
    memory_feed(&from_end, SLICE("hello"));
    assert_int_equal(turn(), RELAY_SINK_BROKEN);
    assert_int_equal(tee.dropped + tee.finished, 0); /* what becomes of it the exchange decides */
    relay_drop_tee(&relay, FAULT_NONE);
    relay_drop_tee(&relay, FAULT_NONE);
    assert_int_equal(tee.dropped, 1);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(every_split),
        RIG_TEST(chunks_are_made_anew),
        RIG_TEST(trailers_only_for_who_understands_them),
        RIG_TEST(back_pressure),
        RIG_TEST(nothing_waits_with_the_source),
        RIG_TEST(a_truncated_source),
        RIG_TEST(the_end_of_one_that_takes_no_more),
        RIG_TEST(a_malformed_source),
        RIG_TEST(the_body_limit),
        RIG_TEST(a_share_of_the_turn),
        RIG_TEST(a_broken_sink),
        RIG_TEST(done_only_when_flushed),
        RIG_TEST(a_copy_that_refuses_at_each_byte),
        RIG_TEST(a_copy_of_what_was_taken),
        RIG_TEST(a_copy_that_is_not_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
