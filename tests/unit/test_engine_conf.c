/* The engine's numbers from the words of a configuration: defaults, units, what cannot be. */
#include "engine_conf.h"

#include "tests/unit/config/config_text.h"

#define RIGHT                                                                                      \
    "listener a { bind 127.0.0.1:1; mode forward; policy p; } policy p { default allow; }\n"

static struct trial t;
static struct arena arena;
static struct root_conf root;
static struct conf c;

static void read_text(const char *more)
{
    char text[4000] = RIGHT;
    strcat(text, more);
    trial_check(&t, slice_of(text));
    if (!t.fine)
        fail_msg("%s", t.said);
    arena_init(&arena, 0);
    root = root_read(&t.tree, &arena);
    c = root.engine;
}

static void done(void)
{
    arena_free(&arena);
    trial_end(&t);
}

static void the_defaults(void **state)
{
    (void)state;
    read_text("");
    assert_int_equal(c.workers, 0);
    assert_int_equal(c.limits.head, 32768);
    assert_int_equal(c.limits.line, 16384);
    assert_int_equal(c.limits.fields, 128);
    assert_true(c.limits.body == UINT64_MAX);
    assert_int_equal(c.limits.clients, 20000);
    assert_false(c.limits.clients_given);
    assert_int_equal(c.limits.clients_per_address, 1000);
    assert_int_equal(c.limits.memory, 1u << 30);
    assert_int_equal(c.timeouts.head, 10000);
    assert_int_equal(c.timeouts.body, 60000);
    assert_int_equal(c.timeouts.idle, 75000);
    assert_int_equal(c.timeouts.connect, 10000);
    assert_int_equal(c.timeouts.response, 60000);
    assert_int_equal(c.timeouts.tunnel_idle, 600000);
    assert_int_equal(c.timeouts.tunnel_lifetime, UINT32_MAX);
    assert_int_equal(c.timeouts.drain, 30000);
    assert_int_equal(c.access[0].to, LOG_STDOUT);
    assert_int_equal(c.error.to, LOG_STDERR);
    assert_int_equal(c.error.level, LEVEL_INFO);
    assert_int_equal(c.dns.nservers, 0);
    assert_string_equal(c.dns.hosts, "/etc/hosts");
    assert_int_equal(c.dns.timeout, 2000);
    assert_int_equal(c.dns.search.n, 0);
    assert_int_equal(root.nlisteners, 1);
    assert_true(slice_is(root.listeners[0].mode, "forward"));
    done();
}

static void what_is_written(void **state)
{
    (void)state;
    read_text(
        "workers 3;\n"
        "limits { head 1k; line 2k; fields 8; body 10m; clients 5; clients-per-address 2; "
        "memory 4m; }\n"
        "timeouts { head 1ms; body 2s; idle 3m; connect 4h; response 1d; tunnel-idle unlimited; "
        "tunnel-lifetime 12h; drain 0s; }\n"
        "log access { to none; } log error { to /tmp/error.log; level warning; }\n"
        "dns { server 192.0.2.1 [2001:db8::1]:54; server 192.0.2.2:53; hosts none; "
        "timeout 500ms; search corp.example.; }\n");
    assert_int_equal(c.workers, 3);
    assert_int_equal(c.limits.head, 1024);
    assert_int_equal(c.limits.line, 2048);
    assert_int_equal(c.limits.body, 10 << 20);
    assert_int_equal(c.limits.clients, 5);
    assert_true(c.limits.clients_given);
    assert_int_equal(c.limits.memory, 4 << 20);
    assert_int_equal(c.timeouts.head, 1);
    assert_int_equal(c.timeouts.idle, 180000);
    assert_int_equal(c.timeouts.response, 86400000);
    assert_int_equal(c.timeouts.tunnel_idle, UINT32_MAX);
    assert_int_equal(c.timeouts.tunnel_lifetime, 12 * 3600 * 1000);
    assert_int_equal(c.timeouts.drain, 0);
    assert_int_equal(c.access[0].to, LOG_NONE);
    assert_int_equal(c.error.to, LOG_PATH);
    assert_string_equal(c.error.path, "/tmp/error.log");
    assert_int_equal(c.error.level, LEVEL_WARNING);
    assert_int_equal(c.dns.nservers, 3);
    assert_int_equal(c.dns.servers[0].port, 53);
    assert_int_equal(c.dns.servers[1].port, 54);
    assert_null(c.dns.hosts);
    assert_int_equal(c.dns.timeout, 500);
    assert_true(slice_is(c.dns.search, "corp.example"));
    done();
}

static struct bind_conf bound(const char *text)
{
    struct word w = { .text = slice_of(text) };
    return bind_read(&w);
}

static void addresses_that_clash(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool clash;
    } rows[] = {
        { "127.0.0.1:80", "127.0.0.1:80", true },
        { "127.0.0.1:80", "127.0.0.1:81", false },
        { "127.0.0.1:80", "127.0.0.2:80", false },
        { "0.0.0.0:80", "127.0.0.1:80", true },
        { "0.0.0.0:80", "[::1]:80", false },
        { "[::]:80", "127.0.0.1:80", true },
        { "[::]:80", "[::1]:80", true },
        { "*:80", "10.0.0.1:80", true },
        { "*:80", "*:81", false },
        { "[::]:80", "0.0.0.0:80", true },
    };
    for (unsigned i = 0; i < countof(rows); i++) {
        struct bind_conf a = bound(rows[i].a), b = bound(rows[i].b);
        assert_true(a.addr.port && b.addr.port);
        if (bind_clashes(&a, &b) != rows[i].clash || bind_clashes(&b, &a) != rows[i].clash)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
    assert_int_equal(bound("nonsense").addr.port, 0);
}

static void refused(const char *text, const char *why)
{
    trial_check(&t, slice_of(text));
    assert_false(t.fine);
    assert_says(&t, why);
    trial_end(&t);
}

static void what_cannot_be(void **state)
{
    (void)state;
    refused("listener a { bind 127.0.0.1:1 0.0.0.0:1; mode forward; policy p; } "
            "policy p { default allow; }",
            "\"0.0.0.0:1\" is already listened on, at t.conf:1:19");
    refused(RIGHT "log access { to /tmp; }", "it is a directory");
    refused(RIGHT "log access { to /nowhere/at/all; }", "there is no folder \"/nowhere/at\"");
    refused(RIGHT "log error { to syslog; }", "\"syslog\" is not known here");
    refused(RIGHT "log access { to stdout x; }", "only \"syslog\" takes a second word");
    refused(RIGHT "log access { to a.log; } log access { to ./b.log; } log access { to a.log; }",
            "another access log is written to \"a.log\" already, at t.conf:");
    refused(RIGHT "log access { } log access { to stdout; }", "is written to \"stdout\" already");
    refused(RIGHT "log access { to a1; } log access { to a2; } log access { to a3; } "
                  "log access { to a4; } log access { to a5; } log access { to a6; } "
                  "log access { to a7; } log access { to none; } log access { to a9; }",
            "more than 8 access logs");
    refused(
        RIGHT "log error { to stdout; }",
        "error: \"stdout\" is not known here\n"
        "    log error { to stdout; }\n"
        "                   ^~~~~~\n"
        "    expected one of: stderr, none, or the path of a file; a file of this name is written "
        "./stdout\n");
    refused(RIGHT "log access { to sdtout; }", "did you mean \"stdout\"?");
    refused(RIGHT "log access { to \"STDERR\"; }", "did you mean \"stderr\"?");
    refused(RIGHT "log error { to noen; }", "did you mean \"none\"?");
    refused(RIGHT "dns { hosts /nowhere/hosts; }", "cannot read \"/nowhere/hosts\"");
    refused(RIGHT "dns { hosts /tmp; }", "it is not a regular file");
    refused(RIGHT "dns { server 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1; server 1.1.1.1 1.1.1.1 1.1.1.1 "
                  "1.1.1.1 1.1.1.1; }",
            "more than 8 resolvers");
    refused(RIGHT "limits { memory 1m; }", "memory");
    refused(RIGHT "timeouts { head 0s; }", "head");
}

static void words_that_are_files(void **state)
{
    (void)state;
    static const char *const files[] = { "./stdout", "stdout.log", "squid", "access", "/none" };
    for (size_t i = 0; i < countof(files); i++) {
        char text[100];
        snprintf(text, sizeof text, "log access { to %s; }", files[i]);
        read_text(text);
        assert_int_equal(c.access[0].to, LOG_PATH);
        assert_string_equal(c.access[0].path, files[i]);
        done();
    }
}

static void several_access_logs(void **state)
{
    (void)state;
    read_text(
        "log access { to a.log; format squid; query on; } log access { to none; format json; }"
        "log access { to syslog; mask-client on; } log access { to syslog /run/x; }");
    assert_int_equal(c.naccess, 4);
    assert_int_equal(c.log_wants, WANT_RECORD | WANT_TYPE);
    assert_int_equal(c.access[0].style.format, FORMAT_SQUID);
    assert_true(c.access[0].style.query && !c.access[0].style.mask_client);
    assert_int_equal(c.access[2].to, LOG_SYSLOG);
    assert_int_equal(c.access[2].style.format, FORMAT_READABLE);
    assert_true(c.access[2].style.mask_client && !c.access[2].style.query);
    assert_string_equal(c.access[2].path, "/dev/log");
    assert_string_equal(c.access[3].path, "/run/x");
    done();
    read_text("log access { to none; }");
    assert_int_equal(c.log_wants, 0);
    done();
    read_text("");
    assert_int_equal(c.naccess, 1);
    assert_int_equal(c.log_wants, WANT_RECORD);
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults),         cmocka_unit_test(what_is_written),
        cmocka_unit_test(addresses_that_clash), cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(words_that_are_files), cmocka_unit_test(several_access_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
