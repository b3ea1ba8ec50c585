/* The system refuses memory at any moment of a client's life: at most that client's connection is
 * lost, its exchange ends in 503 where an answer is still possible, and the next one is served. */
#include "tests/unit/core/help_engine.h"
#include "tests/unit/help_memory.h"

static int origin;

static void say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
    rig_turn();
}

/* A head with more fields than are held inline, and a trailer section of that kind. */
static const char *message(const char *first)
{
    static char area[8000];
    struct text t = text_in(area, sizeof area - 1);
    text_cstr(&t, first);
    for (unsigned i = 0; i < 120; i++) {
        if (i == 60)
            text_lit(&t, "TE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "5\r\nhello\r\n0\r\n");
        text_lit(&t, "X-Field-");
        text_u64(&t, i);
        text_lit(&t, ": value\r\n");
    }
    text_lit(&t, "\r\n");
    area[t.n] = 0;
    return area;
}

static void at_origin(const char *answer)
{
    struct addr peer;
    int upstream = sock_accept(origin, &peer);
    if (upstream < 0)
        return;
    say(upstream, answer);
    close(upstream);
    rig_turn();
}

static void upload(int client)
{
    say(client, message("PUT http://one.test/ HTTP/1.1\r\nHost: one.test\r\n"));
    at_origin(message("HTTP/1.1 200 OK\r\n"));
}

static void trace(int client)
{
    say(client, "TRACE http://one.test/ HTTP/1.1\r\nHost: one.test\r\nMax-Forwards: 0\r\n\r\n");
}

static void tunnel(int client)
{
    say(client, "CONNECT one.test:80 HTTP/1.1\r\nHost: one.test:80\r\n\r\n");
    at_origin("pong");
}

static void assert_served(void)
{
    int client = rig_client();
    assert_begins(rig_ask(client, "GET /still HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
    rig_close(client);
}

/* One client of a daemon just started, to whom the nth request for memory is refused. How many
 * were? *told: its answer said why. */
static unsigned suffer(void (*one)(int client), unsigned nth, bool lasting, bool *told)
{
    rig_set_up(NULL);
    origin = rig_origin();
    memory_refuse(nth, lasting);
    int client = rig_client();
    one(client);
    unsigned refused = memory_relent();
    rig_later(50); /* who stood in line for memory goes on */
    const char *said = rig_hears(client);
    bool is503 = strncmp(said, "HTTP/1.1 503 ", 13) == 0;
    if (*said && !is503)
        assert_begins(said, "HTTP/1.1 200 ");
    *told |= is503 && strstr(said, "out_of_memory") != NULL;
    rig_close(client);
    assert_served();
    rig_tear_down(NULL);
    return refused;
}

static void survives(void (*one)(int client))
{
    for (int lasting = 0; lasting < 2; lasting++) {
        bool told = false;
        unsigned nth = 1;
        while (suffer(one, nth, lasting, &told))
            nth++;
        assert_in_range(nth, 4, 100);
        assert_true(told);
    }
}

static void an_upload(void **state)
{
    (void)state;
    survives(upload);
}

static void a_trace(void **state)
{
    (void)state;
    survives(trace);
}

static void a_tunnel(void **state)
{
    (void)state;
    survives(tunnel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload),
        cmocka_unit_test(a_trace),
        cmocka_unit_test(a_tunnel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
