/* What may be sent once more, and that a stale idle connection is replaced without the client
 * noticing, but never for a POST whose bytes are gone. */
#include "core/retry.h"

#include "core/target.h"
#include "help_engine.h"

static void the_conditions(void **state)
{
    (void)state;
    static const struct {
        bool via_idle, retried, upstream_seen, refilled, sent, allowed;
        enum method method;
        enum body_kind body;
    } rows[] = {
        { .via_idle = true, .sent = true, .method = METHOD_GET, .allowed = true },
        { .via_idle = false, .sent = true, .method = METHOD_GET },
        { .via_idle = true, .retried = true, .method = METHOD_GET },
        { .via_idle = true, .upstream_seen = true, .method = METHOD_GET },
        { .via_idle = true, .sent = true, .method = METHOD_POST },
        { .via_idle = true, .sent = false, .method = METHOD_POST, .allowed = true },
        { .via_idle = true, .sent = true, .method = METHOD_PATCH },
        { .via_idle = true, .sent = true, .method = METHOD_OTHER },
        { .via_idle = true,
          .sent = true,
          .method = METHOD_PUT,
          .body = BODY_LENGTH,
          .allowed = true },
        { .via_idle = true, .sent = true, .method = METHOD_DELETE, .allowed = true },
        /* A body that has been read on is gone. */
        { .via_idle = true, .refilled = true, .method = METHOD_PUT, .body = BODY_LENGTH },
        { .via_idle = true, .refilled = true, .method = METHOD_PUT, .body = BODY_CHUNKED },
        { .via_idle = true, .refilled = true, .sent = true, .method = METHOD_GET, .allowed = true },
    };
    for (unsigned i = 0; i < countof(rows); i++) {
        struct conn client = { .refilled = rows[i].refilled }, upstream = { .bytes_out = 700 };
        struct xchg *x = calloc(1, sizeof *x);
        x->client.conn = &client;
        x->upstream.conn = &upstream;
        x->upstream_base = rows[i].sent ? 600 : 700;
        x->via_idle = rows[i].via_idle;
        x->retried = rows[i].retried;
        x->upstream_seen = rows[i].upstream_seen;
        x->req.method = rows[i].method;
        x->req.body = rows[i].body;
        if (retry_allowed(x) != rows[i].allowed)
            fail_msg("row %u", i);
        free(x);
    }
}

/* Before it is sent nobody knows whether more of a body is to come than what is there. */
static void what_is_foreseen(void **state)
{
    (void)state;
    static const struct {
        enum method method;
        enum body_kind body;
        u64 length;
        bool foreseen;
    } rows[] = {
        { METHOD_GET, BODY_NONE, 0, true },      { METHOD_DELETE, BODY_NONE, 0, true },
        { METHOD_PUT, BODY_LENGTH, 4, true },    { METHOD_PUT, BODY_LENGTH, 5, false },
        { METHOD_PUT, BODY_CHUNKED, 0, false },  { METHOD_POST, BODY_NONE, 0, false },
        { METHOD_PATCH, BODY_LENGTH, 4, false }, { METHOD_OTHER, BODY_NONE, 0, false },
    };
    struct buf in = { .from = 10, .to = 14 };
    for (unsigned i = 0; i < countof(rows); i++) {
        struct conn near = { .in = &in };
        struct xchg *x = calloc(1, sizeof *x);
        x->client.conn = &near;
        x->req.method = rows[i].method;
        x->req.body = rows[i].body;
        x->req.body_len = rows[i].length;
        if (retry_foreseen(x) != rows[i].foreseen)
            fail_msg("row %u", i);
        free(x);
    }
}

static int client, origin, upstream;

/* One exchange has gone well; its connection rests in the pool. */
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

/* The second one is fresh: when that closes too, it is told. */
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
        cmocka_unit_test(what_is_foreseen),
        cmocka_unit_test(the_conditions),
        RIG_TEST(a_get_is_sent_again),
        RIG_TEST(a_put_is_sent_again_with_its_body),
        RIG_TEST(a_post_is_not),
        RIG_TEST(only_once),
        RIG_TEST(the_client_is_not_blamed_for_the_dial),
        RIG_TEST(not_once_the_answer_has_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
