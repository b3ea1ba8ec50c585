/* A store between where and dial: a toy in memory that keeps one response, serves it at any size,
 * takes copies of what passes, and stands in when the upstream side fails. */
#include "core/exchange/store.h"

#include <errno.h>
#include <sys/socket.h>

#include "core/exchange/local_reply.h"
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_clock.h"

enum { BIG = 100 << 20 };

static struct {
    char *body; /* NULL: nothing is kept */
    size_t n, room;
    size_t most; /* of a copy; SIZE_MAX: any size */
    bool parks;  /* at the next lookup; time_to_go ends it */
    bool time_to_go, refuses, revalidates, rescues, stops, goes_on;
    bool leads, keeps; /* a copy is read by the client; it goes on without that */
    bool waits;        /* it takes more later */
    bool growing, cut; /* the copy that leads */
    struct relay feed;
    struct xchg *self;
    unsigned lookups, resumes, done, opened, closed, begun, kept, dropped, rescued;
    enum fault dropped_for;
    size_t at; /* of the one reader */
} toy;

static enum flow peek(void *self, struct slice *run)
{
    (void)self;
    *run = (struct slice){ toy.body ? toy.body + toy.at : NULL, toy.n - toy.at };
    if (run->n == 0 && (toy.growing || toy.cut))
        return toy.cut ? FLOW_FAULT : FLOW_WAIT;
    return toy.stops ? FLOW_FAULT : run->n ? FLOW_OK : FLOW_END;
}

static void took(void *self, size_t n)
{
    (void)self;
    toy.at += n;
}

static void closed(void *self)
{
    (void)self;
    toy.closed++;
}

/* What comes is brought by the exchange that reads it. */
static enum flow fill(void *self)
{
    (void)self;
    return FLOW_WAIT;
}

static const struct source_ops object_ops = { peek, took, fill, NULL, closed, NULL };

static void give(struct xchg *x)
{
    toy.at = 0;
    toy.opened++;
    reply_begin(x, 200, SLICE(""));
    reply_local(x, SLICE("text/x-toy"), (struct source){ &object_ops, &toy }, toy.n);
}

static enum lookup find(struct xchg *x)
{
    if (toy.refuses) {
        x->fault = FAULT_rule_denied;
        return LOOKUP_REFUSED;
    }
    if (toy.body == NULL || toy.rescues)
        return LOOKUP_MISS;
    if (toy.revalidates)
        return msg_add_line(&x->req, TOKEN_IF_NONE_MATCH, SLICE("If-None-Match: \"toy\"\r\n"))
                   ? LOOKUP_MISS
                   : LOOKUP_REFUSED;
    give(x);
    return LOOKUP_HIT;
}

static enum lookup lookup(struct xchg *x)
{
    toy.lookups++;
    toy.self = x;
    return toy.parks ? LOOKUP_PARKED : find(x);
}

static enum lookup resume(struct xchg *x)
{
    toy.resumes++;
    assert_ptr_equal(x, toy.self);
    return toy.time_to_go ? find(x) : LOOKUP_PARKED;
}

static enum flow tee_put(void *self, struct slice run, size_t *taken)
{
    (void)self;
    assert_int_equal(toy.kept + toy.dropped + 1, toy.begun);
    *taken = run.n < toy.most - toy.n ? run.n : toy.most - toy.n;
    if (toy.n + *taken > toy.room)
        toy.body = realloc(toy.body, toy.room = (toy.n + *taken) * 2);
    assert_non_null(toy.body);
    memcpy(toy.body + toy.n, run.p, *taken);
    toy.n += *taken;
    return *taken == run.n ? FLOW_OK : toy.waits && !toy.self->copy_late ? FLOW_WAIT : FLOW_FAULT;
}

static enum flow tee_finish(void *self, const struct msg *trailers)
{
    (void)self;
    (void)trailers;
    toy.kept++;
    toy.growing = false;
    return FLOW_OK;
}

static void forget(void)
{
    free(toy.body);
    toy.body = NULL;
    toy.n = toy.room = 0;
}

static void tee_drop(void *self, enum fault why)
{
    (void)self;
    toy.dropped++;
    toy.dropped_for = why;
    if (toy.growing) {
        toy.growing = false;
        toy.cut = true;
    } else {
        forget();
    }
}

static const struct sink_ops tee_ops = { tee_put, tee_finish, NULL, tee_drop, NULL };

static bool begin(struct xchg *x, struct sink *tee)
{
    if (toy.revalidates && x->resp.status == 304) {
        give(x);
        return false;
    }
    if (x->resp.status != 200)
        return false;
    toy.begun++;
    *tee = (struct sink){ &tee_ops, &toy };
    if (toy.leads) {
        toy.growing = true;
        toy.opened++;
        toy.at = 0;
        toy.feed = (struct relay){ .from = { &object_ops, &toy } };
        x->feed = &toy.feed;
    }
    return true;
}

static bool keep(struct xchg *x)
{
    (void)x;
    return toy.keeps;
}

static bool rescue(struct xchg *x, enum fault why)
{
    assert_int_equal(fault_info(why)->whose, FAULT_OF_UPSTREAM);
    toy.rescued++;
    if (!toy.rescues)
        return false;
    give(x);
    return true;
}

static void done(struct xchg *x)
{
    if (toy.growing)
        tee_drop(x, FAULT_client_reset);
    toy.done++;
}

/* Once. */
static bool go_on(struct xchg *x)
{
    if (!toy.goes_on)
        return false;
    toy.goes_on = toy.stops = false;
    source_close(&x->source);
    toy.opened++;
    x->source = (struct source){ &object_ops, &toy };
    return true;
}

static const struct store toy_store = { .lookup = lookup,
                                        .resume = resume,
                                        .begin = begin,
                                        .rescue = rescue,
                                        .keep = keep,
                                        .go_on = go_on,
                                        .done = done };

static int client, origin;

static int set_up(void **state)
{
    rig_set_up(state);
    memset(&toy, 0, sizeof toy);
    toy.most = SIZE_MAX;
    rig.listener->store = &toy_store;
    origin = rig_origin();
    client = rig_client();
    return 0;
}

/* Whatever became of them: each lookup, copy and source has ended once. */
static int tear_down(void **state)
{
    rig_close(client);
    rig_turn();
    unsigned open = toy.opened - toy.closed, copying = toy.begun - toy.kept - toy.dropped;
    unsigned asking = toy.lookups - toy.done;
    free(toy.body);
    int r = rig_tear_down(state);
    return r || open || copying || asking;
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define ASK(method, more) method " http://one.test/ HTTP/1.1\r\nHost: one.test\r\n" more "\r\n"

/* Of no length that a buffer has, and twice in a row: a piece from anywhere is one run. */
enum { PERIOD = 65521 };
static char pattern[2 * PERIOD];

static void make_pattern(void)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)((u64)(i % PERIOD) * 2654435761u >> 13);
}

static void keep_text(const char *text)
{
    toy.n = toy.room = strlen(text);
    toy.body = strdup(text);
    assert_non_null(toy.body);
}

/* Reads a head and then `n` bytes of the pattern, while `feed` is called whenever there is nothing
 * more; what waits in the engine meanwhile is little. */
static void hear_pattern(size_t n, void (*feed)(void))
{
    static char area[1 << 18];
    size_t have = 0, got;
    bool in_body = false;
    while (have < n) {
        if (feed)
            feed();
        rig_turn();
        assert_true(rig.worker->bufs.in_use < 1 << 20);
        ssize_t r = recv(client, area, sizeof area, MSG_DONTWAIT);
        if (r < 0 && errno == EAGAIN)
            continue;
        assert_true(r > 0);
        char *p = area;
        got = (size_t)r;
        if (!in_body) {
            p = memmem(area, got, "\r\n\r\n", 4);
            assert_non_null(p);
            p += 4;
            got -= (size_t)(p - area);
            in_body = true;
        }
        for (size_t run; got > 0; p += run, got -= run, have += run) {
            run = got < PERIOD ? got : PERIOD;
            assert_memory_equal(p, pattern + have % PERIOD, run);
        }
    }
    assert_int_equal(have, n);
}

static int upstream;
static size_t said;

static void feed_pattern(void)
{
    size_t n = BIG - said < PERIOD ? BIG - said : PERIOD;
    ssize_t r = n ? send(upstream, pattern + said % PERIOD, n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    said += r > 0 ? (size_t)r : 0;
}

/* 100 MB pass, and are copied; then they come from the store, and nobody is asked. */
static void a_big_one_is_copied_and_served(void **state)
{
    (void)state;
    char head[100];
    make_pattern();
    said = 0;
    rig_say(client, ASK("GET", ""));
    upstream = rig_accept(origin);
    rig_hears(upstream);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
    rig_say(upstream, head);
    hear_pattern(BIG, feed_pattern);
    assert_int_equal(toy.kept, 1);
    assert_int_equal(toy.n, BIG);
    rig_close(origin);
    rig_close(upstream);
    rig_say(client, ASK("GET", ""));
    hear_pattern(BIG, NULL);
    rig_turn();
    assert_int_equal(toy.lookups, 2);
    assert_int_equal(toy.closed, 1);
    rig_say(client, ASK("GET", "")); /* and the connection lives */
    rig_hears(client);
}

/* What the client does not take is not asked for. */
static void a_client_that_does_not_read(void **state)
{
    (void)state;
    toy.n = toy.room = BIG;
    toy.body = calloc(1, BIG);
    assert_non_null(toy.body);
    rig_say(client, ASK("GET", ""));
    assert_true(toy.at > 0 && toy.at < 4 << 20);
    assert_true(rig.worker->bufs.in_use < 1 << 17);
    rig_later(rig.snapshot->conf.timeouts.body + 1000);
    assert_int_equal(rig_faults(FAULT_client_write_timeout), 1);
    assert_int_equal(toy.closed, 1);
}

static void it_takes_the_way_of_any_answer(void **state)
{
    (void)state;
    keep_text("stored");
    const char *heard = rig_ask(client, ASK("GET", ""));
    assert_begins(heard, "HTTP/1.1 200 OK\r\nDate: ");
    assert_has(heard, "\r\nContent-Type: text/x-toy\r\nContent-Length: 6\r\n\r\nstored");
    heard = rig_ask(client, ASK("HEAD", ""));
    assert_has(heard, "\r\nContent-Length: 6\r\n\r\n");
    assert_has_not(heard, "stored");
    assert_int_equal(toy.closed, 2);
    heard = rig_ask(client, ASK("POST", "Content-Length: 9\r\n")); /* nobody reads its body */
    assert_has(heard, "\r\nConnection: close\r\n\r\nstored");
}

static void parked_is_resumed(void **state)
{
    (void)state;
    keep_text("stored");
    toy.parks = true;
    assert_string_equal(rig_ask(client, ASK("GET", "")), "");
    assert_string_equal(rig_ask(client, "GET "), ""); /* whatever wakes it */
    toy.time_to_go = true;
    xchg_wake(toy.self);
    assert_has(rig_hears(client), "\r\n\r\nstored");
    assert_int_equal(toy.lookups, 1);
    assert_true(toy.resumes >= 1);
}

static void parked_when_the_client_goes(void **state)
{
    (void)state;
    toy.parks = true;
    int other = rig_client_tcp();
    rig_say(other, ASK("GET", ""));
    struct linger abrupt = { 1, 0 };
    setsockopt(other, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    rig_close(other);
    rig_turn();
    assert_int_equal(toy.done, 1);
}

static void refused(void **state)
{
    (void)state;
    toy.refuses = true;
    assert_begins(rig_ask(client, ASK("GET", "")), "HTTP/1.1 403 ");
}

/* The upstream connection has nothing more to send, and rests. */
static void found_to_be_fresh(void **state)
{
    (void)state;
    keep_text("stored");
    toy.revalidates = true;
    rig_say(client, ASK("GET", ""));
    upstream = rig_accept(origin);
    assert_has(rig_hears(upstream), "If-None-Match: \"toy\"\r\n");
    rig_say(upstream, "HTTP/1.1 304 Not Modified\r\nETag: \"toy\"\r\n\r\n");
    const char *heard = rig_hears(client);
    assert_begins(heard, "HTTP/1.1 200 OK\r\n");
    assert_has(heard, "\r\n\r\nstored");
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
}

static void stale_but_better_than_nothing(void **state)
{
    (void)state;
    keep_text("stored");
    toy.rescues = true;
    rig_say(client, ASK("GET", ""));
    upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_close(upstream);
    assert_has(rig_hears(client), "\r\n\r\nstored");
    assert_int_equal(rig_count(STAT_upstream_idle), 0);
    rig_close(origin); /* nobody there */
    assert_has(rig_ask(client, ASK("GET", "")), "\r\n\r\nstored");
    assert_int_equal(toy.rescued, 2);
    toy.rescues = false;
    forget();
    assert_begins(rig_ask(client, ASK("GET", "")), "HTTP/1.1 502 ");
}

/* Cut anywhere, a copy is dropped, and what the client gets is what it would have got. */
static void a_copy_of_a_cut_one(void **state)
{
    (void)state;
    rig_say(client, ASK("GET", ""));
    upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    assert_has(rig_hears(client), "\r\n\r\nhalf");
    rig_close(upstream);
    rig_turn();
    assert_int_equal(toy.dropped, 1);
    assert_int_equal(toy.dropped_for, FAULT_response_truncated);
    assert_int_equal(toy.kept, 0);
}

static void a_copy_that_finds_no_room(void **state)
{
    (void)state;
    toy.most = 3;
    rig_say(client, ASK("GET", ""));
    upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
    assert_has(rig_hears(client), "\r\n\r\n0123456789");
    assert_int_equal(toy.dropped, 1);
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
}

/* A stored body that cannot be read on cuts the answer short. */
static void a_store_that_fails_in_the_middle(void **state)
{
    (void)state;
    keep_text("stored");
    toy.stops = true;
    assert_has(rig_ask(client, ASK("GET", "")), "\r\nContent-Length: 6\r\n\r\n");
    assert_true(rig_ended(client));
}

/* Unless the store has another source for the rest. */
static void a_store_that_goes_on(void **state)
{
    (void)state;
    keep_text("stored");
    toy.stops = toy.goes_on = true;
    assert_has(rig_ask(client, ASK("GET", "")), "\r\nContent-Length: 6\r\n\r\nstored");
    assert_int_equal(toy.closed, 2);
    assert_has(rig_ask(client, ASK("GET", "")), "\r\n\r\nstored"); /* and the connection lives */
}

/* ---- a copy that leads ---- */

static void begin_leading(const char *body)
{
    char head[100];
    toy.leads = true;
    client = rig_client_tcp();
    rig_say(client, ASK("GET", ""));
    upstream = rig_accept(origin);
    rig_hears(upstream);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n%s", body);
    rig_say(upstream, head);
}

static void the_client_reads_the_copy(void **state)
{
    (void)state;
    begin_leading("01234");
    assert_has(rig_hears(client), "\r\n\r\n01234");
    rig_say(upstream, "56789");
    assert_string_equal(rig_hears(client), "56789");
    assert_int_equal(toy.kept, 1);
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
    toy.leads = false;
    assert_has(rig_ask(client, ASK("GET", "")), "\r\n\r\n0123456789");
}

/* It has all of it while the client has hardly begun. */
static void a_slow_client_of_a_copy(void **state)
{
    (void)state;
    char head[100];
    toy.leads = true;
    make_pattern();
    said = 0;
    rig_say(client, ASK("GET", ""));
    upstream = rig_accept(origin);
    rig_hears(upstream);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
    rig_say(upstream, head);
    while (said < BIG) {
        feed_pattern();
        rig_turn();
    }
    rig_turn();
    assert_int_equal(toy.kept, 1);
    assert_true(toy.at < 4 << 20);
    hear_pattern(BIG, NULL);
}

/* What it has is read from it, and the rest comes as without a store. */
static void a_copy_that_stops(void **state)
{
    (void)state;
    for (toy.most = 1; toy.most < 10; toy.most++) {
        forget();
        toy.cut = false;
        begin_leading("01234");
        rig_say(upstream, "56789");
        assert_has(rig_hears(client), "\r\n\r\n0123456789");
        assert_int_equal(toy.dropped, toy.most);
        rig_close(upstream);
    }
    forget();
}

/* A copy that has taken 7 bytes of "0123456789", which the client has too, and waits for room. */
static void begin_waiting(void)
{
    toy.waits = true;
    toy.most = 7;
    begin_leading("01234");
    toy.self->copy_wait_ms = 2000;
    rig_say(upstream, "56789");
    assert_has(rig_hears(client), "\r\n\r\n0123456");
}

/* One that waits for room goes on from the very byte. */
static void a_copy_that_waits(void **state)
{
    (void)state;
    begin_waiting();
    toy.most = SIZE_MAX;
    xchg_wake(toy.self);
    assert_string_equal(rig_hears(client), "789");
    assert_int_equal(toy.kept, 1);
    assert_int_equal(toy.dropped, 0);
}

/* It is asked once more when it has waited as long as it may; what it says then counts. */
static void a_copy_that_waits_in_vain(void **state)
{
    (void)state;
    begin_waiting();
    rig_later(1900);
    assert_int_equal(toy.dropped, 0);
    rig_later(200);
    assert_int_equal(toy.dropped, 1);
    assert_string_equal(rig_hears(client), "789");
    forget();
}

/* The client gets what there was, and sees that it is not all. */
static void a_copy_that_is_cut(void **state)
{
    (void)state;
    begin_leading("01234");
    rig_close(upstream);
    assert_has(rig_hears(client), "\r\n\r\n01234");
    assert_true(rig_ended(client));
    assert_int_equal(toy.dropped_for, FAULT_response_truncated);
}

static void reset_client(void)
{
    struct linger abrupt = { 1, 0 };
    setsockopt(client, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    rig_close(client);
    rig_turn();
    client = rig_client(); /* for tear_down */
}

/* It is told once what became of the client, and the copy is made all the same. */
static void it_goes_on_without_the_client(void **state)
{
    (void)state;
    toy.keeps = true;
    begin_leading("01234");
    reset_client();
    assert_int_equal(rig_faults(FAULT_client_reset), 1);
    assert_int_equal(toy.done, 0);
    rig_say(upstream, "56789");
    assert_int_equal(toy.kept, 1);
    assert_int_equal(toy.done, 1);
    assert_int_equal(rig_faults(FAULT_client_reset), 1);
    assert_int_equal(rig_count(STAT_requests_total), 1);
    assert_int_equal(rig_count(STAT_requests_in_flight), 0);
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
}

static void it_ends_with_the_client(void **state)
{
    (void)state;
    begin_leading("01234");
    reset_client();
    assert_int_equal(toy.dropped_for, FAULT_client_reset);
    assert_int_equal(rig_count(STAT_requests_in_flight), 0);
}

/* Each side has its own clock: a client that reads nothing, an origin that says nothing. */
static void its_clocks(void **state)
{
    (void)state;
    begin_leading("01234");
    rig_later(rig.snapshot->conf.timeouts.body + 1000);
    assert_int_equal(rig_faults(FAULT_response_body_timeout), 1);
    assert_has(rig_hears(client), "\r\n\r\n01234");
    assert_true(rig_ended(client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_big_one_is_copied_and_served),
        STORE_TEST(a_client_that_does_not_read),
        STORE_TEST(it_takes_the_way_of_any_answer),
        STORE_TEST(parked_is_resumed),
        STORE_TEST(parked_when_the_client_goes),
        STORE_TEST(refused),
        STORE_TEST(found_to_be_fresh),
        STORE_TEST(stale_but_better_than_nothing),
        STORE_TEST(a_copy_of_a_cut_one),
        STORE_TEST(a_copy_that_finds_no_room),
        STORE_TEST(a_store_that_fails_in_the_middle),
        STORE_TEST(a_store_that_goes_on),
        STORE_TEST(the_client_reads_the_copy),
        STORE_TEST(a_slow_client_of_a_copy),
        STORE_TEST(a_copy_that_stops),
        STORE_TEST(a_copy_that_waits),
        STORE_TEST(a_copy_that_waits_in_vain),
        STORE_TEST(a_copy_that_is_cut),
        STORE_TEST(it_goes_on_without_the_client),
        STORE_TEST(it_ends_with_the_client),
        STORE_TEST(its_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
