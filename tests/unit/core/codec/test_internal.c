/* An exchange without a client goes through the same steps as any other and ends at its
 * requester. */
#include "core/codec/internal.h"

#include "core/codec/server.h"
#include "core/thread.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_memory.h"

struct fetch {
    struct requester requester; /* stays until on_end */
    char got[4096];
    struct text text;
    size_t most; /* that it still takes */
    unsigned heads;
    u16 status;
    bool ended, no_body;
    enum fault fault;
};

static enum flow head(struct requester *r, const struct msg *resp)
{
    struct fetch *a = container_of(r, struct fetch, requester);
    a->status = resp->status;
    a->heads++;
    return a->no_body ? FLOW_FAULT : FLOW_OK;
}

static enum flow bytes(struct requester *r, struct slice run, size_t *taken)
{
    struct fetch *a = container_of(r, struct fetch, requester);
    *taken = run.n < a->most ? run.n : a->most;
    text_add(&a->text, (struct slice){ run.p, *taken });
    a->most -= *taken;
    return *taken == run.n ? FLOW_OK : FLOW_WAIT;
}

static void on_end(struct requester *r, enum fault f)
{
    struct fetch *a = container_of(r, struct fetch, requester);
    assert_false(a->ended);
    assert_null(r->leg);
    a->ended = true;
    a->fault = f;
    a->got[a->text.n] = 0;
}

static bool open_fetch(struct fetch *a, const char *request)
{
    a->requester = (struct requester){ .head = head, .bytes = bytes, .end = on_end };
    a->text = text_in(a->got, sizeof a->got - 1);
    a->got[0] = 0;
    a->ended = false;
    return internal_open(rig.worker, rig.listener, slice_of(request), &a->requester);
}

static void ask(struct fetch *a, const char *request)
{
    assert_true(open_fetch(a, request));
    assert_false(a->ended); /* nothing happens inside the call */
    rig_turn();
}

static bool whole(const struct fetch *a)
{
    return a->ended && a->fault == FAULT_NONE;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: origin.test\r\n\r\n"

static void answered_by_ourselves(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    ask(&a, GET("/path"));
    assert_true(whole(&a));
    assert_int_equal(a.status, 200);
    assert_string_equal(a.got, "/path");
}

static void refused(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    ask(&a, GET("http://origin.test/denied"));
    assert_true(whole(&a));
    assert_int_equal(a.status, 403);
    assert_has(a.got, "rule_denied");
}

static void answered_by_an_origin(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    int origin = rig_origin();
    ask(&a, GET("http://origin.test/list"));
    assert_false(a.ended);
    int upstream = rig_accept(origin);
    assert_begins(rig_hears(upstream), "GET /list HTTP/1.1\r\n");
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nli");
    assert_false(a.ended);
    rig_say(upstream, "st");
    assert_true(whole(&a));
    assert_string_equal(a.got, "list");
    assert_int_equal(a.heads, 1);
}

static void an_answer_that_is_cut_is_not_whole(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    int origin = rig_origin();
    ask(&a, GET("http://origin.test/list"));
    int upstream = rig_accept(origin);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nli");
    rig_close(upstream);
    rig_turn();
    assert_true(a.ended && a.fault);
}

/* Framing is undone, interim heads are nothing for it, and one that is slow holds the origin back. */
static void chunks_to_a_slow_one(void **state)
{
    (void)state;
    struct fetch a = { .most = 3 };
    int origin = rig_origin();
    ask(&a, GET("http://origin.test/list"));
    int upstream = rig_accept(origin);
    rig_say(upstream, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "4\r\nlist\r\n1\r\ns\r\n0\r\n\r\n");
    assert_false(a.ended);
    assert_int_equal(a.text.n, 3);
    a.most = 100;
    internal_more(&a.requester);
    rig_turn();
    assert_true(whole(&a));
    assert_int_equal(a.heads, 1);
    assert_string_equal(a.got, "lists");
}

static void one_that_takes_nothing_for_too_long(void **state)
{
    (void)state;
    struct fetch a = { .most = 0 };
    ask(&a, GET("/path"));
    assert_false(a.ended);
    rig_later(61000);
    assert_true(a.ended);
    assert_int_equal(a.fault, FAULT_client_write_timeout);
}

static void one_that_wants_no_body(void **state)
{
    (void)state;
    struct fetch a = { .no_body = true };
    ask(&a, GET("/path"));
    assert_true(a.ended);
    assert_int_equal(a.fault, FAULT_client_reset);
}

static void one_that_gives_up(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    int origin = rig_origin();
    ask(&a, GET("http://origin.test/list"));
    int upstream = rig_accept(origin);
    internal_cancel(&a.requester);
    assert_false(a.ended);
    rig_turn();
    assert_int_equal(a.fault, FAULT_client_reset);
    rig_hears(upstream);
    assert_true(a.ended && rig_ended(upstream));
}

static void a_request_with_a_fault(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    ask(&a, "GET http://user name@a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(a.ended);
    assert_int_equal(a.status, 400);
}

/* Wherever memory is refused, the requester learns of it once: by false or by `end`. */
static void memory_refused_at_each_step(void **state)
{
    unsigned refused = 1;
    for (unsigned nth = 1; refused; nth++) {
        struct fetch a = { .most = 4000 };
        rig_set_up(state);
        memory_refuse(nth, false);
        bool open = open_fetch(&a, GET("/path"));
        rig_turn();
        refused = memory_relent();
        rig_later(50); /* who stood in line for memory goes on */
        assert_true(a.ended == open);
        assert_true(whole(&a) || refused);
        rig_tear_down(state);
    }
}

/* A drain waits for what is asked, refuses what would come, and ends what takes too long. */
static void draining(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 }, late = { .most = 0 };
    struct worker *w = rig.worker;
    int origin = rig_origin();
    ask(&a, GET("http://origin.test/list"));
    int upstream = rig_accept(origin);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nli");
    worker_drain(w, DRAIN_GRACEFUL);
    rig_turn();
    assert_false(a.ended || w->loop.stop);
    assert_false(internal_open(w, rig.listener, SLICE(GET("/path")), &late.requester));
    worker_drain(w, DRAIN_NOW);
    rig_turn();
    assert_true(a.ended && a.fault);
    assert_true(w->loop.stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(answered_by_ourselves),
        RIG_TEST(refused),
        RIG_TEST(answered_by_an_origin),
        RIG_TEST(an_answer_that_is_cut_is_not_whole),
        RIG_TEST(chunks_to_a_slow_one),
        RIG_TEST(one_that_takes_nothing_for_too_long),
        RIG_TEST(one_that_wants_no_body),
        RIG_TEST(one_that_gives_up),
        RIG_TEST(a_request_with_a_fault),
        cmocka_unit_test(memory_refused_at_each_step),
        RIG_TEST(draining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
