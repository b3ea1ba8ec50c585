/* Heads as they go out, from values: start line, Host, fields, framing, Connection. */
#include "http/h1_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "http/uri.h"
#include "tests/unit/help_memory.h"

static struct msg m;
static char lines[64];
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    msg_init(&m, &arena);
    msg_lend(&m, lines, sizeof lines);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Also that h1_head_room promises enough. */
static void written(u8 peer_minor, bool last, enum body_kind kind, const char *want)
{
    char area[2000];
    struct text t = text_in(area, sizeof area);
    assert_int_equal(h1_write_head(&t, &m, peer_minor, last), kind);
    assert_true(t.n <= h1_head_room(&m));
    area[t.n] = 0;
    assert_string_equal(area, want);
}

static void request(enum target_form form, const char *method)
{
    m.form = (u8)form;
    m.method_text = slice_of(method);
    m.scheme = SLICE("http");
    m.authority = SLICE("a.test:81");
    m.path = SLICE("/p?q");
}

static void forms_of_the_target(void **state)
{
    (void)state;
    request(TARGET_ORIGIN, "GET");
    written(1, false, BODY_NONE, "GET /p?q HTTP/1.1\r\nHost: a.test:81\r\n\r\n");
    request(TARGET_ABSOLUTE, "GET");
    written(1, false, BODY_NONE, "GET http://a.test:81/p?q HTTP/1.1\r\nHost: a.test:81\r\n\r\n");
    request(TARGET_AUTHORITY, "CONNECT");
    written(1, false, BODY_NONE, "CONNECT a.test:81 HTTP/1.1\r\nHost: a.test:81\r\n\r\n");
}

static void what_a_request_says_about_its_hop(void **state)
{
    (void)state;
    request(TARGET_ORIGIN, "PUT");
    m.body = BODY_LENGTH;
    m.body_len = 7;
    m.te_trailers = true;
    written(1, false, BODY_LENGTH,
            "PUT /p?q HTTP/1.1\r\nHost: a.test:81\r\nContent-Length: 7\r\nTE: trailers\r\n"
            "Connection: TE\r\n\r\n");
    m.body = BODY_STREAMED;
    m.te_trailers = false;
    m.upgrade_websocket = true;
    written(1, false, BODY_STREAMED,
            "PUT /p?q HTTP/1.1\r\nHost: a.test:81\r\nTransfer-Encoding: chunked\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void response(u16 status, enum method asked, enum body_kind body)
{
    msg_init(&m, &arena);
    m.response = true;
    m.status = status;
    m.reason = SLICE("R");
    m.method = asked;
    m.body = body;
    m.body_len = 7;
}

/* By what the peer understands, not by what the origin chose. */
static void framing_of_a_response(void **state)
{
    (void)state;
    static const enum body_kind unknown[] = { BODY_STREAMED, BODY_UNTIL_CLOSE };
    for (unsigned i = 0; i < countof(unknown); i++) {
        response(200, METHOD_GET, unknown[i]);
        written(1, false, BODY_STREAMED, "HTTP/1.1 200 R\r\nTransfer-Encoding: chunked\r\n\r\n");
        written(0, false, BODY_UNTIL_CLOSE, "HTTP/1.1 200 R\r\nConnection: close\r\n\r\n");
    }
    response(200, METHOD_GET, BODY_LENGTH);
    written(1, true, BODY_LENGTH,
            "HTTP/1.1 200 R\r\nContent-Length: 7\r\nConnection: close\r\n\r\n");
    written(0, false, BODY_LENGTH,
            "HTTP/1.1 200 R\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n");
    response(200, METHOD_HEAD, BODY_LENGTH);
    written(1, false, BODY_NONE, "HTTP/1.1 200 R\r\nContent-Length: 7\r\n\r\n");
}

static void heads_that_end_nothing(void **state)
{
    (void)state;
    response(103, METHOD_GET, BODY_NONE);
    written(1, true, BODY_NONE, "HTTP/1.1 103 R\r\n\r\n");
    response(200, METHOD_CONNECT, BODY_NONE);
    written(0, true, BODY_NONE, "HTTP/1.1 200 R\r\n\r\n");
    response(101, METHOD_GET, BODY_NONE);
    written(1, true, BODY_NONE,
            "HTTP/1.1 101 R\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    response(403, METHOD_CONNECT, BODY_NONE);
    written(1, true, BODY_NONE, "HTTP/1.1 403 R\r\nConnection: close\r\n\r\n");
}

/* In the lent block, then beyond it; found like any field. */
static void lines_of_our_own(void **state)
{
    (void)state;
    struct text t;
    request(TARGET_ORIGIN, "GET");
    assert_true(msg_add_line(&m, TOKEN_VIA, SLICE("Via: 1.1 us\r\n")));
    assert_ptr_equal(m.extra, lines);
    assert_true(msg_compose(&m, 20, &t));
    text_lit(&t, "b.test");
    m.authority = msg_keep_text(&m, &t);
    for (unsigned i = 0; i < 3; i++)
        assert_true(msg_add_line(&m, TOKEN_ALLOW, SLICE("Allow: a-long-one\r\n")));
    assert_ptr_not_equal(m.extra, lines);
    assert_true(slice_is(msg_get(&m, TOKEN_VIA), "1.1 us"));
    assert_int_equal(msg_count(&m, TOKEN_ALLOW), 3);
    written(1, false, BODY_NONE,
            "GET /p?q HTTP/1.1\r\nHost: b.test\r\nVia: 1.1 us\r\nAllow: a-long-one\r\n"
            "Allow: a-long-one\r\nAllow: a-long-one\r\n\r\n");
}

static void without_memory(void **state)
{
    (void)state;
    request(TARGET_ORIGIN, "GET");
    memory_refuse(1, true);
    assert_true(msg_add_line(&m, TOKEN_VIA, SLICE("Via: 1.1 us\r\n")));
    bool added = msg_add_line(&m, TOKEN_ALLOW,
                              SLICE("Allow: something that is longer than the rest of it\r\n"));
    assert_int_equal(memory_relent(), 1);
    assert_false(added);
    written(1, false, BODY_NONE, "GET /p?q HTTP/1.1\r\nHost: a.test:81\r\nVia: 1.1 us\r\n\r\n");
}

#define HEAD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAD_TEST(forms_of_the_target),   HEAD_TEST(what_a_request_says_about_its_hop),
        HEAD_TEST(framing_of_a_response), HEAD_TEST(heads_that_end_nothing),
        HEAD_TEST(lines_of_our_own),      HEAD_TEST(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
