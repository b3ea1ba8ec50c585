/* An exchange without a client goes through the same steps as any other and ends at its requester.
 * */
#include "core/internal.h"

#include "core/server.h"
#include "core/thread.h"
#include "help_engine.h"
#include "tests/unit/help_memory.h"

struct fetch {
    struct requester requester; /* stays until on_end */
    char got[4096];
    struct text text;
    size_t most;
    bool ended, whole;
};

static bool take(void *self, struct slice part)
{
    struct fetch *a = self;
    text_add(&a->text, part);
    return a->text.n <= a->most;
}

static void on_end(void *self, bool whole)
{
    struct fetch *a = self;
    a->ended = true;
    a->whole = whole;
}

static void ask(struct fetch *a, const char *request)
{
    a->requester = (struct requester){ take, on_end, a };
    a->text = text_in(a->got, sizeof a->got - 1);
    a->got[0] = 0;
    a->ended = a->whole = false;
    assert_true(internal_open(rig.worker, rig.listener->at, slice_of(request), &a->requester));
    rig_turn();
    a->got[a->text.n] = 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: origin.test\r\n\r\n"

static void answered_by_ourselves(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    ask(&a, GET("/path"));
    assert_true(a.ended && a.whole);
    assert_has(a.got, "HTTP/1.1 200 OK\r\n");
    assert_has(a.got, "\r\n\r\n/path");
}

static void refused(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    ask(&a, GET("http://origin.test/denied"));
    assert_true(a.ended && a.whole);
    assert_has(a.got, "HTTP/1.1 403 ");
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
    assert_true(a.ended && a.whole);
    a.got[a.text.n] = 0;
    assert_has(a.got, "\r\n\r\nlist");
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
    assert_true(a.ended && !a.whole);
}

static void an_asker_that_wants_no_more(void **state)
{
    (void)state;
    struct fetch a = { .most = 0 };
    ask(&a, GET("/path"));
    assert_true(a.ended && !a.whole);
}

static void no_memory(void **state)
{
    (void)state;
    struct fetch a = { .most = 0 };
    struct requester requester = { take, on_end, &a };
    rig_exhaust();
    assert_false(internal_open(rig.worker, rig.listener->at, SLICE(GET("/path")), &requester));
    assert_false(a.ended);
    rig_relieve();
}

/* Wherever memory is refused, the requester learns of it once: by false or by `end`. */
static void memory_refused_at_each_step(void **state)
{
    unsigned refused = 1;
    for (unsigned nth = 1; refused; nth++) {
        struct fetch a = { .text = text_in(a.got, sizeof a.got), .most = 4000 };
        a.requester = (struct requester){ take, on_end, &a };
        rig_set_up(state);
        memory_refuse(nth, false);
        bool open = internal_open(rig.worker, rig.listener->at, SLICE(GET("/path")), &a.requester);
        refused = memory_relent();
        rig_later(50); /* who stood in line for memory goes on */
        assert_true(a.ended == open);
        assert_true(a.whole || refused);
        rig_tear_down(state);
    }
}

/* A drain waits for what is asked, refuses what would come, and ends what takes too long. */
static void draining(void **state)
{
    (void)state;
    struct fetch a = { .most = 4000 };
    struct worker *w = rig.worker;
    int origin = rig_origin();
    ask(&a, GET("http://origin.test/list"));
    int upstream = rig_accept(origin);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nli");
    worker_drain(w, DRAIN_GRACEFUL);
    rig_turn();
    assert_false(a.ended || w->loop.stop);
    assert_false(internal_open(w, rig.listener->at, SLICE(GET("/path")), &a.requester));
    worker_drain(w, DRAIN_NOW);
    rig_turn();
    assert_true(a.ended && !a.whole);
    assert_true(w->loop.stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(answered_by_ourselves),
        RIG_TEST(refused),
        RIG_TEST(answered_by_an_origin),
        RIG_TEST(an_answer_that_is_cut_is_not_whole),
        RIG_TEST(an_asker_that_wants_no_more),
        RIG_TEST(no_memory),

        cmocka_unit_test(memory_refused_at_each_step),
        RIG_TEST(draining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
