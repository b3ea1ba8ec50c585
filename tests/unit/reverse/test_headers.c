/* What a server behind a reverse listener gets, and what the client sees, byte for byte. */
#include "reverse/headers.h"

#include "tests/unit/core/help_engine.h"

static int origin;

static void start(void)
{
    char text[300];
    origin = rig_origin();
    snprintf(text, sizeof text,
             "listener main { bind 127.0.0.1:8080; mode reverse; routes r; }\n"
             "routes r { route rest { to pool p; } }\npool p { server one.test:%u; }\n",
             rig.port);
    rig_configure(text);
}

static const char *sent_for(const char *request)
{
    rig_say(rig_client(), request);
    return rig_hears(rig_accept(origin));
}

#define US " proxyd-test\r\n"
#define TOLD(host, via)                                                                            \
    "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n" host "Via: " via US

static void who_asks_and_for_what(void **state)
{
    (void)state;
    char own_name[200];
    start();
    snprintf(own_name, sizeof own_name,
             "GET / HTTP/1.1\r\nHost: one.test:%u\r\n" TOLD("", "1.0") "\r\n", rig.port);
    assert_string_equal(sent_for(
                            "GET /x?y HTTP/1.1\r\nHost: WWW.example.com:8080\r\nX-A: b\r\n\r\n"),
                        "GET /x?y HTTP/1.1\r\nHost: www.example.com:8080\r\nX-A: b\r\n" TOLD(
                            "X-Forwarded-Host: www.example.com:8080\r\n", "1.1") "\r\n");
    assert_string_equal(sent_for("GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n"),
                        "GET / HTTP/1.1\r\nHost: a.test\r\n" TOLD("X-Forwarded-Host: a.test\r\n",
                                                                  "1.1") "\r\n");
    /* The client has named no host: the server gets its own name. */
    assert_string_equal(sent_for("GET / HTTP/1.0\r\n\r\n"), own_name);
    assert_begins(sent_for("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS * HTTP/1.1\r\n");
    assert_begins(sent_for("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"),
                  "OPTIONS * HTTP/1.1\r\n");
    assert_begins(sent_for("OPTIONS http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"),
                  "OPTIONS /?b HTTP/1.1\r\n");
}

/* Only we say who the client is. */
static void claims_are_taken_out(void **state)
{
    (void)state;
    start();
    assert_string_equal(
        sent_for(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
            "X-Forwarded-For: 7.7.7.7\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Host: evil\r\n"
            "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Server: evil\r\n"
            "X-Forwarded-Prefix: /evil\r\nX-Forwarded-User: root\r\nX_Forwarded_For: 6.6.6.6\r\n"
            "x_real-ip: 6.6.6.6\r\nClient-Cert: :AAAA:\r\nClient_Cert_Chain: :AAAA:\r\n"
            "Content_Length: 5\r\nProxy_Authorization: x\r\nMy_Own: kept\r\nConnection: "
            "X-Forwarded-For\r\n"
            "Proxy-Authorization: x\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: a\r\nMy_Own: kept\r\n" TOLD("X-Forwarded-Host: a\r\n",
                                                             "1.1") "\r\n");
}

/* A gateway hides its servers: nothing is added to answers. */
static void answers_are_as_the_server_gave_them(void **state)
{
    (void)state;
    start();
    int client = rig_client();
    rig_say(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    int upstream = rig_accept(origin);
    rig_hears(upstream);
    rig_say(upstream,
            "HTTP/1.1 200 OK\r\nServer: s\r\nDate: d\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n"
            "Content-Length: 0\r\n\r\n");
    assert_string_equal(rig_hears(client),
                        "HTTP/1.1 200 OK\r\nServer: s\r\nDate: d\r\nContent-Length: 0\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(who_asks_and_for_what),
        RIG_TEST(claims_are_taken_out),
        RIG_TEST(answers_are_as_the_server_gave_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
