/* Where a forward request goes: the policy's two questions, the search domain, and what the proxy
 * answers for itself. */
#include "forward/where.h"

#include "core/conn/target.h"
#include "tests/unit/core/help_engine.h"

#define LISTENER(bind, policy)                                                                     \
    "listener main { bind " bind "; mode forward; policy p; }\n"                                   \
    "policy p { clients 127.0.0.0/8; connect-ports any; http-ports any; " policy " }\n"

static const char loopback[] =
    LISTENER("127.0.0.1:3128", "default deny \"only here\"; rules { deny secret { path /secret; } "
                               "deny two { to 127.0.0.2; } allow all { to *; reach loopback; } }");

static const char *ask(const char *request)
{
    return rig_ask(rig_client(), request);
}

static void absolute_form(void **state)
{
    (void)state;
    char request[200];
    rig_configure(loopback);
    int origin = rig_origin(), client = rig_client();
    snprintf(request, sizeof request, "GET http://one.test:%u/x?y HTTP/1.1\r\nHost: other\r\n\r\n",
             rig.port);
    rig_say(client, request);
    assert_begins(rig_hears(rig_accept(origin)), "GET /x?y HTTP/1.1\r\n");
    assert_slice(rig_exchange()->rule, "all");
    assert_int_equal(rig_exchange()->to.port, rig.port);
}

static void the_rules(void **state)
{
    (void)state;
    rig_configure(loopback);
    const char *said = ask("GET http://one.test/secret/x HTTP/1.1\r\nHost: one.test\r\n\r\n");
    assert_begins(said, "HTTP/1.1 403 ");
    assert_has(said, "rule_denied");
    assert_has(said, "rule: secret\n");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 0);
}

/* A name says nothing about where it leads: the address is asked about. */
static void the_rules_on_the_address(void **state)
{
    (void)state;
    rig_configure(loopback);
    const char *said = ask("GET http://two.test:9/ HTTP/1.1\r\nHost: two.test\r\n\r\n");
    assert_begins(said, "HTTP/1.1 403 ");
    assert_has(said, "rule: two\n");
    assert_has(ask("GET http://127.0.0.2:9/ HTTP/1.1\r\nHost: x\r\n\r\n"), "rule: two\n");
    assert_has(ask("GET http://0x7f000002:9/ HTTP/1.1\r\nHost: x\r\n\r\n"), "rule: two\n");
    assert_int_equal(rig_count(STAT_upstream_connects_total), 0);
}

static void classes_of_addresses(void **state)
{
    (void)state;
    rig_configure(LISTENER("127.0.0.1:3128", "default allow;"));
    assert_has(ask("GET http://one.test/ HTTP/1.1\r\nHost: x\r\n\r\n"), "destination_loopback");
    assert_has(ask("GET http://10.1.2.3/ HTTP/1.1\r\nHost: x\r\n\r\n"), "destination_private");
    assert_has(ask("GET http://169.254.169.254/ HTTP/1.1\r\nHost: x\r\n\r\n"),
               "destination_metadata");
    assert_has(ask("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"),
               "destination_loopback");
}

static void default_with_a_text(void **state)
{
    (void)state;
    rig_configure(LISTENER("127.0.0.1:3128", "default deny \"ask the desk\";"));
    const char *said = ask("GET http://one.test/ HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(said, "default_denied");
    assert_has(said, "reason: ask the desk\n");
}

static void ports(void **state)
{
    (void)state;
    rig_configure("listener main { bind 127.0.0.1:3128; mode forward; policy p; }\n"
                  "policy p { clients 127.0.0.0/8; default allow; }\n");
    assert_has(ask("CONNECT one.test:25 HTTP/1.1\r\nHost: one.test:25\r\n\r\n"),
               "connect_port_denied");
}

/* A client that may not go there anyway does not learn whether the name exists. */
static void a_name_that_leads_nowhere(void **state)
{
    (void)state;
    rig_configure(LISTENER("127.0.0.1:3128",
                           "default deny; rules { allow in { to 10.0.0.0/8; reach private; } }"));
    rig.snapshot->conf.timeouts.connect = 50;
    int client = rig_client();
    rig_say(client, "GET http://unknown.test/ HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_later(60);
    assert_has(rig_hears(client), "default_denied");
}

static void the_pac_file(void **state)
{
    (void)state;
    rig_configure(LISTENER("127.0.0.1:3128", "default allow;"));
    const char *said = ask("GET /proxy.pac HTTP/1.1\r\nHost: whatever:1\r\n\r\n");
    assert_begins(said, "HTTP/1.1 200 OK\r\n");
    assert_has(said, "Content-Type: application/x-ns-proxy-autoconfig\r\n");
    assert_has(said, "proxyd_own = \"127.0.0.1:3128\";");
    assert_has(ask("GET /wpad.dat HTTP/1.1\r\nHost: x\r\n\r\n"),
               "proxyd_own = \"127.0.0.1:3128\";");
    said = ask("HEAD /proxy.pac HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(said, "Content-Length: ");
    assert_has_not(said, "PROXY");
    said = ask("POST /proxy.pac HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_begins(said, "HTTP/1.1 405 ");
    assert_has(said, "\r\nAllow: GET, HEAD\r\n");
}

/* On a wildcard it names the address that the client itself has used, or dialled. */
static void the_pac_file_of_a_wildcard(void **state)
{
    (void)state;
    rig_configure(LISTENER("0.0.0.0:3128", "default allow;"));
    assert_has(ask("GET /proxy.pac HTTP/1.1\r\nHost: Proxy.Corp.test:99\r\n\r\n"),
               "proxyd_own = \"proxy.corp.test:3128\";");
    assert_has(ask("GET /proxy.pac HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n"),
               "proxyd_own = \"1.2.3.4:3128\";");
    assert_has(rig_ask(rig_client_tcp(), "GET /proxy.pac HTTP/1.0\r\n\r\n"),
               "proxyd_own = \"127.0.0.1:3128\";");
}

static void for_the_proxy_itself(void **state)
{
    (void)state;
    rig_configure(LISTENER("127.0.0.1:3128", "default allow;"));
    const char *said = ask("GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_begins(said, "HTTP/1.1 404 ");
    assert_has(said, "this is a proxy, not a web server");
    assert_has(said,
               "Proxy-Status: proxyd; error=destination_not_found; details=\"not_found\"\r\n");
    assert_has(said, "\r\nCache-Control: no-store\r\n");
    assert_has(said, "curl -x http://127.0.0.1:3128 http://example.com/");
    assert_has(said, "http://127.0.0.1:3128/proxy.pac; http://127.0.0.1:3128/ tells");
    assert_has(said, "\nid: ");
    assert_has(ask("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"), "<!DOCTYPE html>");
    assert_has(ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\nAllow: ");
    assert_has(ask("TRACE / HTTP/1.1\r\nHost: x\r\nCookie: a\r\n\r\n"),
               "\r\n\r\nTRACE / HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void an_old_client_is_not_kept(void **state)
{
    (void)state;
    rig_configure(LISTENER("127.0.0.1:3128", "default allow;"));
    int client = rig_client();
    assert_has(rig_ask(client, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "404");
    assert_true(rig_ended(client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(absolute_form),
        RIG_TEST(the_rules),
        RIG_TEST(the_rules_on_the_address),
        RIG_TEST(classes_of_addresses),
        RIG_TEST(default_with_a_text),
        RIG_TEST(ports),
        RIG_TEST(a_name_that_leads_nowhere),
        RIG_TEST(the_pac_file),
        RIG_TEST(the_pac_file_of_a_wildcard),
        RIG_TEST(for_the_proxy_itself),
        RIG_TEST(an_old_client_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
