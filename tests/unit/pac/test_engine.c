/* The standard functions, and scripts that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>

#include <cmocka.h>

#include "pac/engine.h"

static bool lookup(void *ctx, struct slice name, struct addr *out)
{
    (void)ctx;
    return slice_is(name, "ten.test") && addr_parse(SLICE("10.1.2.3"), out);
}

/* 2026-11-27, a Friday, 13:14:15 UTC. */
static const struct pac_world world = { .now_s = 1795785255, .lookup = lookup };

static struct pac_answer ask(const char *script, struct arena *a)
{
    struct pac_question q = { SLICE("http://www.test/"), SLICE("www.test") };
    struct pac_answer got;
    pac_ask(slice_of(script), &world, &q, 1, a, &got);
    return got;
}

/* Each expression has to be true. */
static const char *const truths[] = {
    "isPlainHostName('www')",
    "!isPlainHostName('www.test')",
    "!isPlainHostName('::1')",
    "dnsDomainIs('www.Test', '.test')",
    "!dnsDomainIs('test', '.test')",
    "localHostOrDomainIs('www.test', 'www.test')",
    "localHostOrDomainIs('www', 'www.test')",
    "!localHostOrDomainIs('www.other', 'www.test')",
    "!localHostOrDomainIs('ww', 'www.test')",
    "isResolvable('ten.test')",
    "!isResolvable('no.test')",
    "dnsResolve('no.test') === null",
    "dnsResolve('192.0.2.1') === '192.0.2.1'",
    "isInNet('ten.test', '10.0.0.0', '255.0.0.0')",
    "isInNet('255.255.255.255', '255.0.0.0', '255.0.0.0')",
    "!isInNet('no.test', '10.0.0.0', '255.0.0.0')",
    "!isInNet('11.0.0.1', '10.0.0.0', '255.0.0.0')",
    "dnsDomainLevels('a.b.c') === 2",
    "myIpAddress() === '127.0.0.1'",
    "shExpMatch('http://a.test/x', '*a.test/*')",
    "!shExpMatch('abc', 'ab')",
    "shExpMatch('abc', 'a?c')",
    "shExpMatch('a.c', 'a.c') && !shExpMatch('abc', 'a.c')",
    "shExpMatch('', '*')",
    "!shExpMatch(new Array(3000).join('a'), '*a*a*a*a*a*a*a*b')",
    "weekdayRange('FRI', 'GMT') && weekdayRange('MON', 'FRI', 'GMT')",
    "!weekdayRange('SAT', 'SUN', 'GMT')",
    "weekdayRange('THU', 'MON', 'GMT')",
    "timeRange(13, 'GMT') && !timeRange(12, 'GMT')",
    "timeRange(9, 14, 'GMT') && !timeRange(9, 13, 'GMT')",
    "timeRange(22, 0, 14, 0, 'GMT')",
    "timeRange(13, 14, 15, 13, 14, 15, 'GMT') && !timeRange(13, 14, 16, 13, 15, 0, 'GMT')",
    "dateRange(27, 'GMT') && !dateRange(26, 'GMT')",
    "dateRange('NOV', 'GMT') && dateRange(2026, 'GMT')",
    "dateRange(1, 'NOV', 30, 'NOV', 'GMT') && !dateRange(1, 'DEC', 31, 'DEC', 'GMT')",
    "dateRange('OCT', 'JAN', 'GMT')",
    "dateRange(1, 'JAN', 2026, 31, 'DEC', 2026, 'GMT')",
    "!dateRange(28, 'NOV', 2026, 31, 'DEC', 2027, 'GMT')",
    "url === 'http://www.test/' && host === 'www.test'",
};

static void helpers_are_as_in_browsers(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    for (unsigned i = 0; i < countof(truths); i++) {
        char script[512];
        snprintf(script, sizeof script,
                 "function FindProxyForURL(url, host) { return %s ? 'y' : 'n'; }", truths[i]);
        struct pac_answer got = ask(script, &a);
        if (got.why != PAC_ANSWERED || !slice_is(got.text, "y"))
            fail_msg("%s: %d %.*s", truths[i], got.why, SLICE_FMT(got.text));
    }
    arena_free(&a);
}

#define BODY(text) "function FindProxyForURL(url, host) { " text " }"

static void wrong_scripts_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum pac_outcome why;
        const char *text;
    } one[] = {
        { "var x;\n\n)", PAC_BROKEN, "(line 3" },
        { "throw new Error('at once');", PAC_BROKEN, "at once" },
        { "var x = 1;", PAC_BROKEN, "FindProxyForURL" },
        { BODY("return undefined_thing;"), PAC_THREW, "undefined_thing" },
        { BODY("return 1;"), PAC_THREW, "no text" },
        { BODY("return f(); function f() { return 1 + f(); }"), PAC_THREW, "limit" },
        { BODY("var s = 'x'; while (true) s += s;"), PAC_TOO_BIG, "memory" },
        { BODY("while (true) ;"), PAC_ENDLESS, "second" },
    };
    struct arena a;
    arena_init(&a, 0);
    for (unsigned i = 0; i < countof(one); i++) {
        struct pac_answer got = ask(one[i].script, &a);
        if (got.why != one[i].why ||
            !memmem(got.text.p, got.text.n, one[i].text, strlen(one[i].text)))
            fail_msg("%s: %d %.*s", one[i].script, got.why, SLICE_FMT(got.text));
    }
    arena_free(&a);
}

static void urls_as_browsers_show_them(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown, *host;
    } one[] = {
        { "http://u:p@A.test:8080/x?y#z", "http://a.test:8080/x?y", "a.test" },
        { "https://u@A.test/secret?token=1", "https://a.test/", "a.test" },
        { "https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/", "2001:db8::1" },
        { "http://a.test", "http://a.test/", "a.test" },
        { "http://a.test?q", "http://a.test/?q", "a.test" },
        { "http://0x7f.1/", "http://127.0.0.1/", "127.0.0.1" },
    };
    struct arena a;
    struct pac_question q;
    arena_init(&a, 0);
    for (unsigned i = 0; i < countof(one); i++) {
        assert_true(pac_url(slice_of(one[i].url), &a, &q));
        if (!slice_is(q.url, one[i].shown) || !slice_is(q.host, one[i].host))
            fail_msg("%s: %.*s %.*s", one[i].url, SLICE_FMT(q.url), SLICE_FMT(q.host));
    }
    assert_false(pac_url(SLICE("a.test"), &a, &q) || pac_url(SLICE("file:///x"), &a, &q) ||
                 pac_url(SLICE("http://[/"), &a, &q));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(helpers_are_as_in_browsers),
        cmocka_unit_test(wrong_scripts_are_told),
        cmocka_unit_test(urls_as_browsers_show_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
