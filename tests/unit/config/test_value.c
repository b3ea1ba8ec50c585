/* Spellings of single values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/value.h"

static void sizes(void **state)
{
    (void)state;
    u64 v = 7;
    assert_true(value_size(SLICE("0"), &v) && v == 0);
    assert_true(value_size(SLICE("512"), &v) && v == 512);
    assert_true(value_size(SLICE("32k"), &v) && v == 32768);
    assert_true(value_size(SLICE("2M"), &v) && v == 2 << 20);
    assert_true(value_size(SLICE("1g"), &v) && v == 1 << 30);
    assert_true(value_size(SLICE("3t"), &v) && v == 3ull << 40);
    static const char *const wrong[] = { "",
                                         "k",
                                         "-1",
                                         "+1",
                                         "1.5m",
                                         "1 k",
                                         "1kb",
                                         "0x10",
                                         "1p",
                                         "99999999999t",
                                         "18446744073709551616" };
    for (size_t i = 0; i < countof(wrong); i++)
        assert_false(value_size(slice_of(wrong[i]), &v));
    assert_true(v == 3ull << 40);
}

static void durations(void **state)
{
    (void)state;
    u64 v = 7;
    assert_true(value_duration(SLICE("5ms"), &v) && v == 5);
    assert_true(value_duration(SLICE("30s"), &v) && v == 30000);
    assert_true(value_duration(SLICE("10m"), &v) && v == 600000);
    assert_true(value_duration(SLICE("2h"), &v) && v == 7200000);
    assert_true(value_duration(SLICE("1d"), &v) && v == 86400000);
    assert_true(value_duration(SLICE("1w"), &v) && v == 604800000);
    static const char *const wrong[] = { "", "30", "0", "s", "1.5s", "-1s", "1sec", "1h30m" };
    for (size_t i = 0; i < countof(wrong); i++)
        assert_false(value_duration(slice_of(wrong[i]), &v));
}

static void ports(void **state)
{
    (void)state;
    u16 a, b;
    assert_true(value_ports(SLICE("443"), &a, &b) && a == 443 && b == 443);
    assert_true(value_ports(SLICE("8000-8999"), &a, &b) && a == 8000 && b == 8999);
    static const char *const wrong[] = {
        "", "0", "65536", "1-", "-1", "9-8", "1-2-3", "http", "1-0"
    };
    for (size_t i = 0; i < countof(wrong); i++)
        assert_false(value_ports(slice_of(wrong[i]), &a, &b));
}

static void names(void **state)
{
    (void)state;
    assert_true(value_name(SLICE("a")));
    assert_true(value_name(SLICE("_x-9_Z")));
    static const char *const wrong[] = { "", "9a", "-a", "a.b", "a b", "\xc3\xa9" };
    for (size_t i = 0; i < countof(wrong); i++)
        assert_false(value_name(slice_of(wrong[i])));
}

static void binds(void **state)
{
    (void)state;
    struct addr a;
    bool both;
    assert_true(value_bind(SLICE("127.0.0.1:3128"), &a, &both));
    assert_true(a.family == AF_INET && a.port == 3128 && !both);
    assert_true(value_bind(SLICE("0.0.0.0:80"), &a, &both) && !both);
    assert_true(value_bind(SLICE("[::1]:80"), &a, &both) && a.family == AF_INET6 && !both);
    assert_true(value_bind(SLICE("[::]:80"), &a, &both) && both);
    assert_true(value_bind(SLICE("*:80"), &a, &both) && both && a.port == 80);
    static const char *const wrong[] = { "",
                                         "127.0.0.1",
                                         "127.0.0.1:",
                                         "127.0.0.1:0",
                                         "::1:80",
                                         "localhost:80",
                                         "*",
                                         "*:",
                                         "*:x",
                                         "unix:/run/x",
                                         ":80",
                                         "127.0.0.01:80",
                                         "[127.0.0.1]:80",
                                         "1.2.3.4:65536" };
    for (size_t i = 0; i < countof(wrong); i++)
        assert_false(value_bind(slice_of(wrong[i]), &a, &both));
}

static void servers(void **state)
{
    (void)state;
    struct slice host;
    u16 port;
    assert_true(value_server(SLICE("app.internal:8080"), &host, &port));
    assert_true(slice_is(host, "app.internal") && port == 8080);
    assert_true(value_server(SLICE("[2001:db8::5]:80"), &host, &port));
    assert_true(slice_is(host, "2001:db8::5") && port == 80);
    static const char *const wrong[] = {
        "",        "a",      "a:",     ":80",    "a:0",         "a:x",          "[::1]",
        "[::1]80", "[x]:80", "::1:80", "a b:80", "http://a:80", "[1.2.3.4]:80", "a..b:80"
    };
    for (size_t i = 0; i < countof(wrong); i++)
        assert_false(value_server(slice_of(wrong[i]), &host, &port));
}

static void addresses(void **state)
{
    (void)state;
    struct addr a;
    assert_true(value_addr(SLICE("192.0.2.1"), &a) && a.port == 0);
    assert_true(value_addr(SLICE("192.0.2.1:53"), &a) && a.port == 53);
    assert_true(value_addr(SLICE("::1"), &a) && a.port == 0);
    assert_true(value_addr(SLICE("[::1]"), &a) && a.port == 0);
    assert_true(value_addr(SLICE("[::1]:53"), &a) && a.port == 53);
    assert_false(value_addr(SLICE("resolver"), &a));
    assert_false(value_addr(SLICE("[192.0.2.1]"), &a));
}

static void hosts(void **state)
{
    (void)state;
    assert_true(value_host_pattern(SLICE("example.com")));
    assert_true(value_host_pattern(SLICE("*.example.com")));
    assert_true(value_host_pattern(SLICE(".example.com")));
    assert_true(value_host_pattern(SLICE("*")));
    assert_true(value_host_pattern(SLICE("_srv.a-b.example.")));
    static const char *const wrong[] = {
        "",    ".",   "*.",          "*x.example",        "a..b", "-a", "a-",
        "a b", "a/b", "*.*.example", "b\xc3\xbc.example", ".."
    };
    for (size_t i = 0; i < countof(wrong); i++)
        assert_false(value_host_pattern(slice_of(wrong[i])));
}

static void of_requests(void **state)
{
    (void)state;
    assert_true(value_method(SLICE("M-SEARCH")));
    assert_false(value_method(SLICE("GE T")));
    assert_false(value_method(SLICE("")));
    assert_true(value_url_path(SLICE("/a/b%20c")));
    assert_false(value_url_path(SLICE("a")));
    assert_false(value_url_path(SLICE("/a?b")));
    assert_false(value_url_path(SLICE("/a b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),     cmocka_unit_test(durations), cmocka_unit_test(ports),
        cmocka_unit_test(names),     cmocka_unit_test(binds),     cmocka_unit_test(servers),
        cmocka_unit_test(addresses), cmocka_unit_test(hosts),     cmocka_unit_test(of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
