/* What may be sent once more, and that a stale idle connection is replaced without the client
 * noticing, but never for a POST whose bytes are gone. */
#include "core/exchange/retry.h"

#include "core/conn/target.h"
#include "tests/unit/core/help_engine.h"

static bool fake_rewind(struct leg *l)
{
    return !l->in_done;
}

static bool fake_untouched(const struct leg *l)
{
    return l->bytes_out == 0;
}

static void fake_close(struct leg *l, enum leg_end end)
{
    assert_int_equal(end, LEG_ABORT);
    l->ops = NULL;
}

static const struct leg_ops fake = {
    .name = "fake", .rewind = fake_rewind, .untouched = fake_untouched, .close = fake_close
};

static void the_conditions(void **state)
{
    (void)state;
    static const struct {
        bool via_idle, retried, upstream_seen, refilled, sent, allowed;
        enum method method;
    } rows[] = {
        { .via_idle = true, .sent = true, .method = METHOD_GET, .allowed = true },
        { .via_idle = false, .sent = true, .method = METHOD_GET },
        { .via_idle = true, .retried = true, .method = METHOD_GET },
        { .via_idle = true, .upstream_seen = true, .method = METHOD_GET },
        { .via_idle = true, .sent = true, .method = METHOD_POST },
        { .via_idle = true, .sent = false, .method = METHOD_POST, .allowed = true },
        { .via_idle = true, .sent = true, .method = METHOD_PATCH },
        { .via_idle = true, .sent = true, .method = METHOD_OTHER },
        { .via_idle = true, .sent = true, .method = METHOD_PUT, .allowed = true },
        { .via_idle = true, .sent = true, .method = METHOD_DELETE, .allowed = true },
        /* A body that has been read on is gone. */
        { .via_idle = true, .refilled = true, .method = METHOD_PUT },
    };
    for (unsigned i = 0; i < countof(rows); i++) {
        struct target t = { .busy = 1 };
        struct xchg *x = calloc(1, sizeof *x);
        x->worker = rig.worker;
        x->target = &t;
        x->client.ops = &fake;
        x->upstream.ops = &fake;
        x->client.in_done = rows[i].refilled; /* what the fake goes by */
        x->upstream.bytes_out = rows[i].sent ? 100 : 0;
        x->via_idle = rows[i].via_idle;
        x->retried = rows[i].retried;
        x->upstream.bytes_in = rows[i].upstream_seen ? 1 : 0;
        x->req.method = rows[i].method;
        if (retry_rewind(x) != rows[i].allowed)
            fail_msg("row %u", i);
        assert_int_equal(t.busy, !rows[i].allowed);
        assert_true(rows[i].allowed ? x->retried && x->upstream.ops == NULL
                                    : x->upstream.ops == &fake);
        free(x);
    }
}

/* Before it is sent nobody knows whether more of a body is to come than what is there. */
static void what_is_foreseen(void **state)
{
    (void)state;
    static const struct {
        const char *method, *rest;
        bool foreseen;
    } rows[] = {
        { "GET", "\r\n", true },
        { "DELETE", "\r\n", true },
        { "PUT", "Content-Length: 4\r\n\r\nhere", true },
        { "PUT", "Content-Length: 4\r\n\r\nhereGET /next", true },
        { "PUT", "Content-Length: 5\r\n\r\nhere", false },
        { "PUT", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false },
        { "POST", "\r\n", false },
        { "PATCH", "Content-Length: 4\r\n\r\nhere", false },
        { "PROPPATCH", "\r\n", false },
    };
    rig_origin();
    for (unsigned i = 0; i < countof(rows); i++) {
        char request[200];
        snprintf(request, sizeof request, "%s http://one.test/ HTTP/1.1\r\nHost: one.test\r\n%s",
                 rows[i].method, rows[i].rest);
        rig_say(rig_client(), request);
        assert_non_null(rig_exchange());
        if (retry_foreseen(rig_exchange()) != rows[i].foreseen)
            fail_msg("row %u", i);
    }
}

static int client, origin, upstream;

/* One exchange has gone well; its connection rests idle. */
static void with_an_idle_connection(void)
{
    origin = rig_origin();
    client = rig_client();
    rig_say(client, "GET http://one.test/1 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    upstream = rig_accept(origin);
    assert_begins(rig_hears(upstream), "GET /1 ");
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    assert_has(rig_hears(client), "\r\n\r\n1");
    assert_int_equal(rig_count(STAT_upstream_idle), 1);
}

/* The request comes before the engine has seen that the origin closed. */
static void ask_while_it_goes_stale(const char *request)
{
    assert_int_equal(send(client, request, strlen(request), 0), strlen(request));
    rig_close(upstream);
    rig_turn();
}

static void a_get_is_sent_again(void **state)
{
    (void)state;
    with_an_idle_connection();
    ask_while_it_goes_stale("GET http://one.test/2 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    upstream = rig_accept(origin);
    assert_string_equal(rig_hears(upstream), /* edited once, so there is one Via */
                        "GET /2 HTTP/1.1\r\nHost: one.test\r\nVia: 1.1 test\r\n\r\n");
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    assert_has(rig_hears(client), "\r\n\r\n2");
    assert_int_equal(rig_count(STAT_upstream_retries_total), 1);
}

static void a_put_is_sent_again_with_its_body(void **state)
{
    (void)state;
    with_an_idle_connection();
    ask_while_it_goes_stale("PUT http://one.test/2 HTTP/1.1\r\nHost: one.test\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
    upstream = rig_accept(origin);
    const char *heard = rig_hears(upstream);
    assert_begins(heard, "PUT /2 ");
    assert_has(heard, "\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
    rig_say(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    assert_has(rig_hears(client), "\r\n\r\n2");
    /* … and the client's connection goes on behind it. */
    rig_say(client, "GET http://one.test/3 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    assert_begins(rig_hears(upstream), "GET /3 ");
}

static void a_post_is_not(void **state)
{
    (void)state;
    with_an_idle_connection();
    ask_while_it_goes_stale("POST http://one.test/2 HTTP/1.1\r\nHost: one.test\r\n"
                            "Content-Length: 4\r\n\r\nbody");
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 502 ");
    assert_has(said, "upstream_");
    assert_int_equal(rig_count(STAT_upstream_retries_total), 0);
}

/* The second one is fresh: when that closes too, the client learns of it. */
static void only_once(void **state)
{
    (void)state;
    with_an_idle_connection();
    ask_while_it_goes_stale("GET http://one.test/2 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_close(upstream);
    const char *said = rig_hears(client);
    assert_begins(said, "HTTP/1.1 502 ");
    assert_has(said, "upstream_closed");
    assert_int_equal(rig_count(STAT_upstream_retries_total), 1);
}

static void not_once_the_answer_has_begun(void **state)
{
    (void)state;
    with_an_idle_connection();
    rig_say(client, "GET http://one.test/2 HTTP/1.1\r\nHost: one.test\r\n\r\n");
    rig_hears(upstream);
    rig_say(upstream, "HTTP/1.1 200");
    rig_close(upstream);
    assert_begins(rig_hears(client), "HTTP/1.1 502 ");
    assert_int_equal(rig_count(STAT_upstream_retries_total), 0);
}

/* While nobody reads from the client because a new connection is on its way, its time stands
 * still. */
static void the_client_is_not_blamed_for_the_dial(void **state)
{
    (void)state;
    struct addr a;
    int filler[3];
    rig.snapshot->conf.timeouts.body = 5000;
    with_an_idle_connection();
    rig_close(origin);
    origin = rig_listen("127.0.0.1", rig.port, 0); /* and its queue is full */
    assert_true(addr_parse(SLICE("127.0.0.1"), &a));
    a.port = rig.port;
    for (unsigned i = 0; i < countof(filler); i++)
        filler[i] = sock_connect(&a);
    rig_say(client, "PUT http://one.test/2 HTTP/1.1\r\nHost: one.test\r\n"
                    "Content-Length: 10\r\n\r\nhello");
    rig_close(upstream);
    rig_turn();
    rig_later(6000);
    assert_int_equal(rig_count(STAT_upstream_retries_total), 1);
    assert_string_equal(rig_hears(client), "");
    rig_later(5000);
    assert_has(rig_hears(client), "connect_timeout");
    for (unsigned i = 0; i < countof(filler); i++)
        close(filler[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(what_is_foreseen),
        RIG_TEST(the_conditions),
        RIG_TEST(a_get_is_sent_again),
        RIG_TEST(a_put_is_sent_again_with_its_body),
        RIG_TEST(a_post_is_not),
        RIG_TEST(only_once),
        RIG_TEST(the_client_is_not_blamed_for_the_dial),
        RIG_TEST(not_once_the_answer_has_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
