/* Whose clock runs, for every state in which an exchange can park, and when it begins anew. */
#include "core/exchange/deadline.h"

#include "tests/unit/core/help_engine.h"

#define NONE WAITS_NOTHING

/* What is given of an exchange: where it stands, what its two relays wait for, and which leg has
 * unsent bytes or found no memory. */
struct state {
    enum step step;
    enum relay_result up, down;
    bool request_done, is_local, head_waits;
    bool client_unsent, client_memory, upstream_unsent, upstream_memory;
    enum waits rows[DEADLINES];
};

static const struct state states[] = {
    /* Somebody else has the clock, or nobody waits. */
    { .step = STEP_screen, .rows = { NONE, NONE } },
    { .step = STEP_where, .rows = { NONE, NONE } },
    { .step = STEP_dial, .rows = { NONE, NONE } },
    { .step = STEP_dial, .client_memory = true, .rows = { NONE, NONE } },
    { .step = STEP_judge, .request_done = true, .rows = { NONE, NONE } },
    /* A head, or an answer of our own, has no room. */
    { .step = STEP_screen, .client_memory = true, .rows = { NONE, WAITS_MEMORY } },
    { .step = STEP_send, .upstream_memory = true, .rows = { NONE, WAITS_MEMORY } },
    { .step = STEP_judge, .client_memory = true, .rows = { NONE, WAITS_MEMORY } },
    { .step = STEP_judge, .client_unsent = true, .rows = { NONE, WAITS_CLIENT_WRITE } },
    { .step = STEP_established, .client_memory = true, .rows = { NONE, WAITS_MEMORY } },
    { .step = STEP_reply, .client_memory = true, .rows = { NONE, WAITS_MEMORY } },
    /* Nor does a body that nobody reads any more cut a refusal short. */
    { .step = STEP_reply,
      .up = RELAY_WAIT_SOURCE,
      .client_unsent = true,
      .rows = { NONE, WAITS_CLIENT_WRITE } },
    { .step = STEP_reply,
      .up = RELAY_WAIT_SINK,
      .client_unsent = true,
      .rows = { NONE, WAITS_CLIENT_WRITE } },
    /* A body of our own has a clock of its own. */
    { .step = STEP_relay,
      .request_done = true,
      .is_local = true,
      .down = RELAY_WAIT_SOURCE,
      .rows = { NONE, NONE } },
    { .step = STEP_relay,
      .request_done = true,
      .is_local = true,
      .down = RELAY_WAIT_SINK,
      .rows = { NONE, WAITS_CLIENT_WRITE } },
    /* The request goes out. */
    { .step = STEP_await, .up = RELAY_WAIT_SOURCE, .rows = { WAITS_CLIENT_READ, NONE } },
    { .step = STEP_await,
      .up = RELAY_WAIT_SINK,
      .upstream_unsent = true,
      .rows = { WAITS_UPSTREAM_WRITE, NONE } },
    { .step = STEP_await, .up = RELAY_YIELD, .rows = { NONE, NONE } },
    { .step = STEP_await,
      .up = RELAY_WAIT_SOURCE,
      .client_memory = true,
      .rows = { WAITS_MEMORY, NONE } },
    { .step = STEP_await,
      .up = RELAY_WAIT_SINK,
      .upstream_memory = true,
      .rows = { WAITS_MEMORY, WAITS_MEMORY } },
    /* It has gone out: the origin owes its answer. */
    { .step = STEP_await, .up = RELAY_DONE, .request_done = true, .rows = { NONE, WAITS_HEAD } },
    { .step = STEP_await,
      .up = RELAY_SINK_BROKEN,
      .request_done = true,
      .rows = { NONE, WAITS_HEAD } },
    { .step = STEP_await,
      .request_done = true,
      .upstream_memory = true,
      .rows = { NONE, WAITS_MEMORY } },
    /* Interim answers: one that the client does not take, one that finds no room. */
    { .step = STEP_await,
      .request_done = true,
      .client_unsent = true,
      .rows = { NONE, WAITS_CLIENT_WRITE } },
    { .step = STEP_await,
      .up = RELAY_WAIT_SOURCE,
      .client_unsent = true,
      .rows = { WAITS_CLIENT_READ, WAITS_CLIENT_WRITE } },
    { .step = STEP_await,
      .request_done = true,
      .head_waits = true,
      .client_memory = true,
      .rows = { NONE, WAITS_MEMORY } },
    /* The answer comes, with or without the request still going. */
    { .step = STEP_relay,
      .request_done = true,
      .down = RELAY_WAIT_SOURCE,
      .rows = { NONE, WAITS_UPSTREAM_READ } },
    { .step = STEP_relay,
      .request_done = true,
      .down = RELAY_WAIT_SINK,
      .rows = { NONE, WAITS_CLIENT_WRITE } },
    { .step = STEP_relay, .request_done = true, .down = RELAY_YIELD, .rows = { NONE, NONE } },
    { .step = STEP_relay,
      .up = RELAY_WAIT_SOURCE,
      .down = RELAY_WAIT_SOURCE,
      .rows = { WAITS_CLIENT_READ, WAITS_UPSTREAM_READ } },
    { .step = STEP_relay,
      .up = RELAY_WAIT_SINK,
      .down = RELAY_WAIT_SINK,
      .rows = { WAITS_UPSTREAM_WRITE, WAITS_CLIENT_WRITE } },
    { .step = STEP_relay,
      .request_done = true,
      .down = RELAY_WAIT_SOURCE,
      .upstream_memory = true,
      .rows = { NONE, WAITS_MEMORY } },
    { .step = STEP_relay,
      .request_done = true,
      .down = RELAY_WAIT_SINK,
      .client_memory = true,
      .rows = { NONE, WAITS_MEMORY } },
};

static void every_state(void **state)
{
    (void)state;
    for (unsigned i = 0; i < countof(states); i++) {
        const struct state *s = &states[i];
        struct xchg *x = calloc(1, sizeof *x);
        u8 rows[DEADLINES];
        assert_non_null(x);
        x->client.unsent = s->client_unsent;
        x->client.memory = s->client_memory;
        x->upstream.unsent = s->upstream_unsent;
        x->upstream.memory = s->upstream_memory;
        x->step = (u8)s->step;
        x->request_done = s->request_done;
        x->is_local = s->is_local;
        x->resp.status = s->head_waits ? 103 : 0;
        x->request.last = (u8)s->up;
        x->response.last = (u8)s->down;
        deadline_rows(x, rows);
        if (rows[0] != s->rows[0] || rows[1] != s->rows[1])
            fail_msg("state %u: %u and %u", i, rows[0], rows[1]);
        free(x);
    }
}

/* Everybody who is waited for has a fault of his own. */
static void faults(void **state)
{
    (void)state;
    static const enum fault of[WAITS_COUNT] = {
        [WAITS_CLIENT_READ] = FAULT_request_body_timeout,
        [WAITS_CLIENT_WRITE] = FAULT_client_write_timeout,
        [WAITS_UPSTREAM_READ] = FAULT_response_body_timeout,
        [WAITS_UPSTREAM_WRITE] = FAULT_upstream_write_timeout,
        [WAITS_HEAD] = FAULT_response_head_timeout,
        [WAITS_MEMORY] = FAULT_out_of_memory,
        [WAITS_COPY] = FAULT_internal_error, /* and never happens */
    };
    for (unsigned i = WAITS_NOTHING + 1; i < WAITS_COUNT; i++)
        assert_int_equal(deadline_fault((enum waits)i), of[i]);
}

static int client, origin;

static void post(const char *length)
{
    int door = rig_origin();
    char head[128];
    client = rig_client();
    snprintf(head, sizeof head,
             "POST http://one.test/ HTTP/1.1\r\nHost: one.test\r\nContent-Length: %s\r\n\r\n",
             length);
    rig_say(client, head);
    origin = rig_accept(door);
    assert_begins(rig_hears(origin), "POST ");
}

/* What wakes the exchange without a byte of the one who is waited for keeps nobody alive. */
static void only_its_own_bytes_begin_it_anew(void **state)
{
    (void)state;
    post("4");
    for (unsigned i = 0; i < 3; i++) {
        rig_later(59000); /* body is 60 s */
        rig_say(client, "x");
    }
    rig_later(30000);
    rig_say(origin, "HTTP/1.1 ");
    rig_later(29000);
    assert_int_equal(rig_faults(FAULT_request_body_timeout), 0);
    rig_later(1100);
    assert_int_equal(rig_faults(FAULT_request_body_timeout), 1);
    assert_begins(rig_hears(client), "HTTP/1.1 408 ");
}

/* The origin's time runs from the end of the request, and neither a part of its head nor an interim
 * one gives it more. */
static void a_head_has_one_time(void **state)
{
    (void)state;
    post("1");
    rig_later(50000);
    rig_say(client, "x");
    rig_later(30000);
    rig_say(origin, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 ");
    rig_later(29000);
    assert_begins(rig_hears(client), "HTTP/1.1 103 ");
    rig_later(1100);
    assert_begins(rig_hears(client), "HTTP/1.1 504 ");
    assert_int_equal(rig_faults(FAULT_response_head_timeout), 1);
}

/* Both directions at once: the nearer one ends first, and the other one goes on as it was. */
static void two_at_once(void **state)
{
    (void)state;
    post("9");
    rig_later(30000);
    rig_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1");
    rig_later(30100); /* the request body's is over; the answer goes on without it */
    assert_int_equal(rig_faults(FAULT_request_body_timeout), 0);
    rig_later(29000);
    rig_say(origin, "2");
    rig_later(59000);
    assert_has(rig_hears(client), "\r\n\r\n12");
    rig_later(1100);
    assert_int_equal(rig_faults(FAULT_response_body_timeout), 1);
    assert_true(rig_ended(client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state),
        cmocka_unit_test(faults),
        RIG_TEST(only_its_own_bytes_begin_it_anew),
        RIG_TEST(a_head_has_one_time),
        RIG_TEST(two_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
