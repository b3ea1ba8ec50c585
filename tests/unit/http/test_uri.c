/* Request targets and hosts: one canonical form or a refusal. */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static const struct {
    const char *text, *name; /* NULL: refused */
    bool literal;
} host_cases[] = {
    { "example.com", "example.com", false },
    { "EXAMPLE.Com.", "example.com", false },
    { "a", "a", false },
    { "_dmarc.a-b.c", "_dmarc.a-b.c", false },
    { "xn--bcher-kva.example", "xn--bcher-kva.example", false },
    { "1.example", "1.example", false },
    { "1.2.3.4.example", "1.2.3.4.example", false },
    { "127.0.0.1", "127.0.0.1", true },
    { "127.0.0.1.", "127.0.0.1", true },
    { "0x7f.0.0.1", "127.0.0.1", true },
    { "0X7F000001", "127.0.0.1", true },
    { "017700000001", "127.0.0.1", true },
    { "2130706433", "127.0.0.1", true },
    { "127.1", "127.0.0.1", true },
    { "0", "0.0.0.0", true },
    { "[::1]", "::1", true },
    { "[2001:DB8:0:0:0:0:0:1]", "2001:db8::1", true },
    { "[::ffff:127.0.0.1]", "127.0.0.1", true },
    { "[::FFFF:7f00:1]", "127.0.0.1", true },
    { "", NULL, false },
    { ".", NULL, false },
    { "..", NULL, false },
    { ".a", NULL, false },
    { "a..b", NULL, false },
    { "a..", NULL, false },
    { "a b", NULL, false },
    { "a%41", NULL, false },
    { "a,b", NULL, false },
    { "a/b", NULL, false },
    { "a\\b", NULL, false },
    { "u@a", NULL, false },
    { "a:80", NULL, false },
    { "*", NULL, false },
    { "CAF\xc3\x89.test.", "xn--caf-dma.test", false },
    { "\xef\xbd\x81\xe3\x80\x82test", "a.test", false },
    { "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.3", "127.0.0.3", true },
    { "caf\xc3", NULL, false },
    { "\xc3\xa9..test", NULL, false },
    { "\xc3\xa9/test", NULL, false },
    { "\xc3\xa9:1", NULL, false },
    { "\xef\xbc\x8fx.test", NULL, false }, /* a slash of full width */
    { "a\x7f", NULL, false },
    { "1.2.3.4.5", NULL, false },
    { "1.2.3.256", NULL, false },
    { "256.256.256.256", NULL, false },
    { "4294967296", NULL, false },
    { "0x100000000", NULL, false },
    { "1.2.3.08", NULL, false },
    { "foo.0x4", NULL, false },
    { "foo.09", NULL, false },
    { "[]", NULL, false },
    { "[", NULL, false },
    { "]", NULL, false },
    { "[::1", NULL, false },
    { "::1", NULL, false },
    { "[1.2.3.4]", NULL, false },
    { "[::1%25eth0]", NULL, false },
    { "[fe80::1%1]", NULL, false },
    { "[v1.a:b]", NULL, false },
    { "[::1]x", NULL, false },
    { "[[::1]]", NULL, false },
    { "[::1].", NULL, false },
    { "\xc2\xad[::1]", NULL, false },               /* a soft hyphen, of which nothing is left */
    { "\xef\xbc\xbb::1\xef\xbc\xbd", NULL, false }, /* brackets of full width */
    { "\xef\xbc\xbb\xef\xbc\x9a\xef\xbc\x9a\x31\xef\xbc\xbd", NULL, false },
};

static void hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(host_cases); i++) {
        struct host h;
        enum fault f = host_parse(slice_of(host_cases[i].text), &h);
        if ((f == FAULT_NONE) != (host_cases[i].name != NULL))
            fail_msg("%s: %s", host_cases[i].text, fault_info(f)->token);
        if (f) {
            assert_int_equal(f, FAULT_bad_host);
            continue;
        }
        assert_string_equal(h.name, host_cases[i].name);
        assert_int_equal(h.len, strlen(host_cases[i].name));
        assert_int_equal(h.literal, host_cases[i].literal);
        assert_int_equal(h.addr.family != 0, host_cases[i].literal);
        assert_int_equal(h.addr.port, 0);
    }
}

/* What no host may have is found in a name of any length, wherever it stands: it is read in blocks
 * that overlap. */
static void a_bad_byte_anywhere(void **state)
{
    (void)state;
    char name[64];
    struct host h;
    for (size_t n = 1; n < sizeof name; n++)
        for (size_t i = 0; i < n; i++) {
            memset(name, 'a', n);
            name[i] = 'B';
            assert_int_equal(host_parse((struct slice){ name, n }, &h), FAULT_NONE);
            assert_true(h.len == n && h.name[i] == 'b');
            name[i] = '/';
            assert_int_equal(host_parse((struct slice){ name, n }, &h), FAULT_bad_host);
        }
}

static void bare_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name; /* NULL: refused */
    } rows[] = {
        { "Name.example", "name.example" },
        { "192.0.2.1", "192.0.2.1" },
        { "2001:DB8::1", "2001:db8::1" },
        { "[2001:db8::1]", NULL },
        { "name:80", NULL },
        { "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct host h;
        enum fault f = host_parse_bare(slice_of(rows[i].text), &h);
        assert_int_equal(f, rows[i].name ? FAULT_NONE : FAULT_bad_host);
        if (rows[i].name)
            assert_string_equal(h.name, rows[i].name);
    }
}

static void host_lengths(void **state)
{
    (void)state;
    char name[300];
    struct host h;
    for (size_t n = 60; n < 70; n++) {
        memset(name, 'a', n);
        assert_int_equal(host_parse((struct slice){ name, n }, &h) == FAULT_NONE, n <= 63);
        name[n] = '.';
        name[n + 1] = 'b';
        assert_int_equal(host_parse((struct slice){ name, n + 2 }, &h) == FAULT_NONE, n <= 63);
    }
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '.' : 'a';
    assert_int_equal(host_parse((struct slice){ name, 253 }, &h), FAULT_NONE);
    assert_int_equal(h.len, 253);
    assert_int_equal(host_parse((struct slice){ name, 254 }, &h), FAULT_NONE); /* a final dot */
    assert_int_equal(host_parse((struct slice){ name, 255 }, &h), FAULT_bad_host);
    assert_int_equal(host_parse((struct slice){ name, 300 }, &h), FAULT_bad_host);
    name[253] = 'a';
    assert_int_equal(host_parse((struct slice){ name, 254 }, &h), FAULT_bad_host);
}

static void authorities(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        u16 port;
    } cases[] = {
        { "a", "a", 0 },
        { "a:80", "a", 80 },
        { "A.:65535", "a", 65535 },
        { "a:00080", "a", 80 },
        { "[::1]", "::1", 0 },
        { "[::1]:8080", "::1", 8080 },
        { "1.2.3.4:1", "1.2.3.4", 1 },
        { "", NULL, 0 },
        { ":80", NULL, 0 },
        { "a:", NULL, 0 },
        { "a:0", NULL, 0 },
        { "a:65536", NULL, 0 },
        { "a:000080", NULL, 0 },
        { "a:+80", NULL, 0 },
        { "a: 80", NULL, 0 },
        { "a:80 ", NULL, 0 },
        { "a:8a", NULL, 0 },
        { "a:80:80", NULL, 0 },
        { "u@a:80", NULL, 0 },
        { "u:p@a", NULL, 0 },
        { "@a", NULL, 0 },
        { "a@", NULL, 0 },
        { "::1:80", NULL, 0 },
        { "[::1]80", NULL, 0 },
        { "[::1]x80", NULL, 0 },
        { "[::1]:", NULL, 0 },
        { "[::1:80", NULL, 0 },
        { "[]:80", NULL, 0 },
        { "a:\xd9\xa1", NULL, 0 },
        { "\xc2\xad[::1]:80", NULL, 0 },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct host h;
        u16 port;
        bool has;
        enum fault f = authority_parse(slice_of(cases[i].text), &h, &port, &has);
        if ((f == FAULT_NONE) != (cases[i].name != NULL))
            fail_msg("%s: %s", cases[i].text, fault_info(f)->token);
        if (f)
            continue;
        assert_string_equal(h.name, cases[i].name);
        assert_int_equal(port, cases[i].port);
        assert_int_equal(has, cases[i].port != 0);
    }
}

static void written_hosts(void **state)
{
    (void)state;
    static const char *const same[] = {
        "a.b", "a:80", "1.2.3.4", "1.2.3.4:80", "[::1]", "[::1]:80"
    };
    for (size_t i = 0; i < countof(same); i++) {
        struct host h;
        u16 port;
        bool has;
        char area[300];
        struct text t = text_in(area, sizeof area);
        assert_int_equal(authority_parse(slice_of(same[i]), &h, &port, &has), FAULT_NONE);
        host_write(&t, &h, port);
        assert_true(slice_is(text_slice(&t), same[i]));
    }
}

static const struct {
    enum method method;
    const char *target;
    enum fault want;
} target_cases[] = {
    { METHOD_GET, "/", FAULT_NONE },
    { METHOD_GET, "//a", FAULT_NONE },
    { METHOD_GET, "http://a", FAULT_NONE },
    { METHOD_GET, "HTTP://a/", FAULT_NONE },
    { METHOD_OPTIONS, "*", FAULT_NONE },
    { METHOD_GET, "", FAULT_bad_target },
    { METHOD_GET, "*", FAULT_bad_target },
    { METHOD_OPTIONS, "**", FAULT_bad_target },
    { METHOD_GET, "a", FAULT_bad_target },
    { METHOD_GET, "a:80", FAULT_bad_target },
    { METHOD_GET, "?q", FAULT_bad_target },
    { METHOD_GET, "http:/a", FAULT_bad_target },
    { METHOD_GET, "http:a", FAULT_bad_target },
    { METHOD_GET, "http://", FAULT_bad_target },
    { METHOD_GET, "http:///a", FAULT_bad_target },
    { METHOD_GET, "http://?q", FAULT_bad_target },
    { METHOD_GET, "http://:80/", FAULT_bad_target },
    { METHOD_GET, "http://u@a/", FAULT_bad_target },
    { METHOD_GET, "http://u:p@a/", FAULT_bad_target },
    { METHOD_GET, "http://@a/", FAULT_bad_target },
    { METHOD_GET, "http://a:0/", FAULT_bad_target },
    { METHOD_GET, "http://a:/", FAULT_bad_target },
    { METHOD_GET, "http://a:99999/", FAULT_bad_target },
    { METHOD_GET, "http://a\\@b/", FAULT_bad_target },
    { METHOD_GET, "http://a\\b/", FAULT_bad_target },
    { METHOD_GET, "http://a%2eb/", FAULT_bad_target },
    { METHOD_GET, "http://1.2.3.999/", FAULT_bad_target },
    { METHOD_GET, "http://caf\xc3/", FAULT_bad_target },
    { METHOD_GET, "http://[::1/", FAULT_bad_target },
    { METHOD_GET, "https://a/", FAULT_bad_scheme },
    { METHOD_GET, "ftp://a/", FAULT_bad_scheme },
    { METHOD_GET, "http+x://a/", FAULT_bad_scheme },
    { METHOD_GET, "httpx://a/", FAULT_bad_scheme },
    { METHOD_GET, "1http://a/", FAULT_bad_target },
    { METHOD_GET, "://a/", FAULT_bad_target },
    { METHOD_GET, "ht_tp://a/", FAULT_bad_target },
    { METHOD_CONNECT, "a:443", FAULT_NONE },
    { METHOD_CONNECT, "[::1]:443", FAULT_NONE },
    { METHOD_CONNECT, "", FAULT_bad_connect_target },
    { METHOD_CONNECT, "a", FAULT_bad_connect_target },
    { METHOD_CONNECT, "a:", FAULT_bad_connect_target },
    { METHOD_CONNECT, "a:0", FAULT_bad_connect_target },
    { METHOD_CONNECT, "a:65536", FAULT_bad_connect_target },
    { METHOD_CONNECT, ":443", FAULT_bad_connect_target },
    { METHOD_CONNECT, "u@a:443", FAULT_bad_connect_target },
    { METHOD_CONNECT, "a:443/", FAULT_bad_connect_target },
    { METHOD_CONNECT, "/", FAULT_bad_connect_target },
    { METHOD_CONNECT, "*", FAULT_bad_connect_target },
    { METHOD_CONNECT, "http://a:443", FAULT_bad_connect_target },
    { METHOD_CONNECT, "[::1]", FAULT_bad_connect_target },
    { METHOD_CONNECT, "::1:443", FAULT_bad_connect_target },
    { METHOD_CONNECT, "1.2.3.999:443", FAULT_bad_connect_target },
};

static void target_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(target_cases); i++) {
        struct target_uri uri;
        enum fault f =
            target_parse(target_cases[i].method, slice_of(target_cases[i].target), NULL, &uri);
        if (f != target_cases[i].want)
            fail_msg("%s, wanted %s: %s", fault_info(f)->token,
                     fault_info(target_cases[i].want)->token, target_cases[i].target);
    }
}

static void parts(const char *target, enum target_form form, const char *host, u16 port,
                  const char *path, const char *query, const char *sent)
{
    struct target_uri u;
    struct arena arena;
    struct msg m;
    arena_init(&arena, 0);
    assert_int_equal(target_parse(METHOD_OPTIONS, slice_of(target), NULL, &u), FAULT_NONE);
    assert_int_equal(u.form, form);
    assert_string_equal(u.host.name, host);
    assert_int_equal(u.port, port);
    assert_true(slice_is(u.path, path));
    assert_int_equal(u.query.p != NULL, query != NULL);
    assert_true(!query || slice_is(u.query, query));
    msg_init(&m, &arena);
    m.method = METHOD_OPTIONS;
    assert_true(msg_address(&m, &u, &u.host, u.port));
    assert_true(slice_is(m.path, sent));
    arena_free(&arena);
}

static void for_a_proxy(enum method method, const char *target, const char *authority,
                        const char *path)
{
    struct target_uri u;
    struct arena arena;
    struct msg m;
    arena_init(&arena, 0);
    assert_int_equal(target_parse(method, slice_of(target), NULL, &u), FAULT_NONE);
    msg_init(&m, &arena);
    m.method = method;
    assert_true(msg_address_proxy(&m, &u));
    assert_int_equal(m.form, method == METHOD_CONNECT ? TARGET_AUTHORITY : TARGET_ABSOLUTE);
    assert_true(slice_is(m.scheme, "http") || method == METHOD_CONNECT);
    assert_true(slice_is(m.authority, authority));
    assert_true(slice_is(m.path, path));
    arena_free(&arena);
}

static void target_for_a_proxy(void **state)
{
    (void)state;
    for_a_proxy(METHOD_GET, "http://A.b./x?y", "a.b", "/x?y");
    for_a_proxy(METHOD_GET, "http://a?y", "a", "/?y");
    for_a_proxy(METHOD_GET, "http://[::1]:81/", "[::1]:81", "/");
    for_a_proxy(METHOD_OPTIONS, "http://a:81", "a:81", ""); /* RFC 9112 section 3.2.4 */
    for_a_proxy(METHOD_CONNECT, "A:80", "a:80", "");
    for_a_proxy(METHOD_CONNECT, "[::1]:443", "[::1]:443", "");
}

static void target_parts(void **state)
{
    (void)state;
    parts("/a/b?c=/?d", TARGET_ORIGIN, "", 0, "/a/b", "c=/?d", "/a/b?c=/?d");
    parts("/a?", TARGET_ORIGIN, "", 0, "/a", "", "/a?");
    parts("*", TARGET_ASTERISK, "", 0, "*", NULL, "*");
    parts("http://A.b./x?y", TARGET_ABSOLUTE, "a.b", 80, "/x", "y", "/x?y");
    parts("http://a:8080/", TARGET_ABSOLUTE, "a", 8080, "/", NULL, "/");
    parts("http://[::1]:81/x", TARGET_ABSOLUTE, "::1", 81, "/x", NULL, "/x");
    parts("http://a", TARGET_ABSOLUTE, "a", 80, "/", NULL, "*"); /* RFC 9112 section 3.2.4 */
    parts("http://a?x=http://b/", TARGET_ABSOLUTE, "a", 80, "/", "x=http://b/", "/?x=http://b/");
    parts("http://a/@b:c", TARGET_ABSOLUTE, "a", 80, "/@b:c", NULL, "/@b:c");
    struct target_uri u;
    assert_int_equal(target_parse(METHOD_OPTIONS, SLICE("http://a"), NULL, &u), FAULT_NONE);
    assert_true(u.bare && !u.has_port);
    assert_true(slice_is(u.scheme, "http") && slice_is(u.authority, "a"));
    assert_int_equal(target_parse(METHOD_OPTIONS, SLICE("http://a:80/"), NULL, &u), FAULT_NONE);
    assert_true(!u.bare && u.has_port);
    assert_int_equal(target_parse(METHOD_CONNECT, SLICE("A.b:443"), NULL, &u), FAULT_NONE);
    assert_int_equal(u.form, TARGET_AUTHORITY);
    assert_string_equal(u.host.name, "a.b");
    assert_int_equal(u.port, 443);
    assert_true(slice_is(u.authority, "A.b:443"));
}

/* The Host field's parse stands for a target that is spelled like it, and for no other. */
static void target_like_its_host(void **state)
{
    (void)state;
    static const struct {
        enum method method;
        const char *host, *target, *want;
        u16 port;
    } cases[] = {
        { METHOD_GET, "A.b:81", "http://A.b:81/x", "other", 99 },
        { METHOD_GET, "a.b", "http://a.b/x", "other", 80 },
        { METHOD_GET, "a.b", "http://a.b:81/x", "a.b", 81 },
        { METHOD_GET, "a.b", "http://a.bc/x", "a.bc", 80 },
        { METHOD_GET, "A.b", "http://a.b/x", "a.b", 80 },
        { METHOD_CONNECT, "a.b:443", "a.b:443", "other", 99 },
        { METHOD_CONNECT, "a.b", "a.b:443", "a.b", 443 },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct authority host = { .text = slice_of(cases[i].host) };
        struct target_uri u;
        assert_int_equal(host_parse(SLICE("other"), &host.host), FAULT_NONE); /* tells them apart */
        host.has_port = slice_find(host.text, ':') != NULL;
        host.port = host.has_port ? 99 : 0;
        assert_int_equal(target_parse(cases[i].method, slice_of(cases[i].target), &host, &u),
                         FAULT_NONE);
        assert_string_equal(u.host.name, cases[i].want);
        assert_int_equal(u.port, cases[i].port);
    }
    struct authority host = { .text = SLICE("a.b") };
    struct target_uri u;
    assert_int_equal(host_parse(host.text, &host.host), FAULT_NONE);
    assert_int_equal(target_parse(METHOD_CONNECT, host.text, &host, &u), FAULT_bad_connect_target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),           cmocka_unit_test(a_bad_byte_anywhere),
        cmocka_unit_test(bare_hosts),      cmocka_unit_test(host_lengths),
        cmocka_unit_test(authorities),     cmocka_unit_test(written_hosts),
        cmocka_unit_test(target_parts),    cmocka_unit_test(target_for_a_proxy),
        cmocka_unit_test(target_refusals), cmocka_unit_test(target_like_its_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
