/* The same facts, whatever a leg rides on: each codec says in its own way that a message is whole,
 * that the peer has ended or failed, and that we give up. */
#include "core/codec/h1.h"

#include <sys/socket.h>

#include "core/codec/internal.h"
#include "core/codec/server.h"
#include "core/conn/codec.h"
#include "core/conn/target.h"
#include "io/sock.h"
#include "tests/unit/core/help_engine.h"

static struct leg leg;
static int peer; /* the socket at its other end */
static unsigned wakes;
static const struct intake *real;

static void note_wake(struct xchg *x)
{
    (void)x;
    wakes++;
}

/* Nobody is behind the legs: the test calls their operations itself. */
static void nobody_behind(void)
{
    static const struct intake fake = { .wake = note_wake, .cut = note_wake };
    if (rig.worker->intake != &fake)
        real = rig.worker->intake;
    rig.worker->intake = &fake;
    wakes = 0;
    leg = (struct leg){ .snap = rig.worker->snapshot, .arena = &rig.arena, .minor = 1 };
}

static void client_leg(enum body_kind kind, u64 length)
{
    peer = rig_client_tcp();
    rig_turn();
    nobody_behind();
    h1_client_leg(&leg, rig_client_conn());
    leg.h1.keep = true;
    h1_expect_body(&leg, kind, length);
}

static struct target *target;

static void upstream_leg(void)
{
    struct host host;
    struct addr a;
    int door = rig_origin();
    assert_int_equal(host_parse(SLICE("a.test"), &host), FAULT_NONE);
    assert_true(addr_parse(SLICE("127.0.0.1"), &a));
    a.port = rig.port;
    struct conn *c = conn_new(rig.worker, sock_connect(&a), &a, &rig_begun);
    assert_non_null(c);
    peer = rig_accept(door);
    nobody_behind();
    target = rig_target(rig.worker, &host, 80);
    target_busy(rig.worker, target);
    codec_h1.attach(c, target, &leg);
}

static void close_upstream(enum leg_end end)
{
    target_rest(target);
    leg.ops->close(&leg, end);
    target_put(rig.worker, &target);
}

/* What is there of the body, to its end or as far as it has come. */
static enum flow read_body(void)
{
    struct slice run;
    for (;;) {
        enum flow f = leg.ops->in.peek(&leg, &run);
        if (f == FLOW_OK)
            leg.ops->in.took(&leg, run.n);
        else if (f != FLOW_WAIT || (f = leg.ops->in.fill(&leg)) != FLOW_OK)
            return f;
    }
}

static enum flow read_head(void)
{
    static struct msg m;
    msg_init(&m, &rig.arena);
    enum flow f = leg.ops->head(&leg, &m, METHOD_GET);
    if (f == FLOW_OK)
        leg.ops->head_done(&leg);
    return f;
}

static void put_head(enum body_kind kind)
{
    struct msg m;
    msg_init(&m, &rig.arena);
    m.response = true;
    m.status = 200;
    m.body = kind;
    m.body_len = 100;
    assert_int_equal(leg.ops->put_head(&leg, &m), FLOW_OK);
    assert_int_equal(leg.ops->out.flush(&leg), FLOW_OK);
}

/* What follows is the client's next request; of an origin nobody has asked for it. */
static void a_message_is_whole(void **state)
{
    (void)state;
    client_leg(BODY_LENGTH, 5);
    rig_say(peer, "helloGET /next");
    assert_int_equal(read_body(), FLOW_END);
    assert_true(leg.in_done && leg.taken == 5);
    struct conn *c = conn_of(&leg);
    leg.ops->close(&leg, LEG_KEEP);
    assert_null(leg.ops);
    assert_user(c, "idle client");
    assert_slice(buf_live(c->in), "GET /next");
    static const char *const rows[] = { "hello", "hello?" };
    for (unsigned i = 0; i < countof(rows); i++) {
        upstream_leg();
        rig_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        rig_say(peer, rows[i]);
        assert_int_equal(read_head(), FLOW_OK);
        assert_int_equal(read_body(), FLOW_END);
        close_upstream(LEG_KEEP);
        assert_int_equal(rig_count(STAT_upstream_idle), i == 0);
        idle_drain(rig.worker);
    }
}

/* A client may only have finished sending; of an origin it is the end that was to come, or one that
 * came too soon. */
static void the_peer_ends_its_side(void **state)
{
    (void)state;
    client_leg(BODY_NONE, 0);
    shutdown(peer, SHUT_WR);
    rig_turn();
    assert_true(wakes && !leg.gone);
    leg.ops->close(&leg, LEG_KEEP);
    static const struct {
        const char *head;
        enum flow ends;
    } rows[] = { { "HTTP/1.1 200 OK\r\n\r\nbody", FLOW_END },
                 { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", FLOW_FAULT },
                 { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody", FLOW_FAULT } };
    for (unsigned i = 0; i < countof(rows); i++) {
        upstream_leg();
        rig_say(peer, rows[i].head);
        shutdown(peer, SHUT_WR);
        rig_turn();
        assert_int_equal(read_head(), FLOW_OK);
        assert_int_equal(read_body(), rows[i].ends);
        assert_false(leg.gone);
        close_upstream(LEG_KEEP);
        assert_int_equal(rig_count(STAT_upstream_idle), 0);
    }
}

static void reset_peer(void)
{
    sock_abort(peer);
    rig_close(peer);
    rig_turn();
}

static void the_peer_aborts(void **state)
{
    (void)state;
    client_leg(BODY_LENGTH, 5);
    reset_peer();
    assert_true(wakes && leg.gone);
    leg.ops->close(&leg, LEG_ABORT);
    assert_true(list_empty(&rig.worker->client_conns));
    upstream_leg();
    assert_true(leg.ops->untouched(&leg));
    reset_peer();
    assert_int_equal(read_head(), FLOW_FAULT);
    assert_true(leg.gone && leg.fault == FAULT_NONE);
    close_upstream(LEG_ABORT);
}

/* Where only the end of the connection ends the body, an orderly end would be a lie. */
static void we_abort(void **state)
{
    (void)state;
    client_leg(BODY_NONE, 0);
    leg.minor = 0;
    put_head(BODY_UNTIL_CLOSE);
    assert_true(leg.last);
    assert_begins(rig_hears(peer), "HTTP/1.1 200 ");
    leg.ops->close(&leg, LEG_ABORT);
    assert_true(rig_reset(peer));
    client_leg(BODY_NONE, 0);
    put_head(BODY_LENGTH);
    leg.ops->close(&leg, LEG_ABORT);
    assert_has(rig_hears(peer), "Content-Length: 100\r\n");
    assert_true(rig_ended(peer));
    upstream_leg();
    close_upstream(LEG_ABORT);
    assert_true(rig_ended(peer));
}

/* The client learns that its connection ends, and what it still sends does not destroy the
 * answer. */
static void an_early_answer(void **state)
{
    (void)state;
    client_leg(BODY_LENGTH, 5);
    leg.last = true;
    put_head(BODY_NONE);
    struct conn *c = conn_of(&leg);
    leg.ops->close(&leg, LEG_LAST);
    assert_user(c, "lingering");
    rig_say(peer, "hello");
    assert_has(rig_hears(peer), "Connection: close\r\n");
    assert_true(rig_ended(peer));
}

/* Once more from its first byte, as long as that is there. */
static void a_body_once_more(void **state)
{
    (void)state;
    client_leg(BODY_LENGTH, 5);
    rig_say(peer, "hel");
    struct conn *c = conn_of(&leg);
    assert_int_equal(leg.ops->in.fill(&leg), FLOW_OK);
    c->pin = c->in;
    c->refilled = false;
    leg.h1.body_at = c->in->from;
    struct slice run;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(leg.ops->in.peek(&leg, &run), FLOW_OK);
        assert_slice(run, "hel");
        leg.ops->in.took(&leg, run.n);
        assert_true(leg.ops->rewind(&leg));
    }
    leg.ops->in.took(&leg, 3);
    rig_say(peer, "lo");
    assert_int_equal(read_body(), FLOW_END);
    assert_false(leg.ops->rewind(&leg));
    leg.ops->close(&leg, LEG_KEEP);
}

static int tear_down(void **state)
{
    rig.worker->intake = real;
    return rig_tear_down(state);
}

#define LEG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEG_TEST(a_message_is_whole), LEG_TEST(the_peer_ends_its_side), LEG_TEST(the_peer_aborts),
        LEG_TEST(we_abort),           LEG_TEST(an_early_answer),        LEG_TEST(a_body_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
