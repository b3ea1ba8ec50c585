/* Spelling of addresses, both ways: what is taken, what it becomes, what is refused. */
#include "base/addr.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/types.h"

static const char *shown(const struct addr *a, bool port)
{
    static char area[4][ADDR_TEXT + 1];
    static unsigned next;
    char *z = area[next++ % 4];
    struct text t = text_in(z, ADDR_TEXT);
    (port ? addr_text_port : addr_text)(&t, a);
    z[t.n] = 0;
    assert_false(t.full);
    return z;
}

struct spelling {
    const char *in, *out; /* out NULL: refused */
};

static const struct spelling strict_rows[] = {
    { "192.0.2.1", "192.0.2.1" },
    { "0.0.0.0", "0.0.0.0" },
    { "255.255.255.255", "255.255.255.255" },
    { "::", "::" },
    { "::1", "::1" },
    { "2001:DB8::0001", "2001:db8::1" },
    { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },    /* the first of equal runs */
    { "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },          /* the longest run */
    { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* one group is no run */
    { "1:0:0:0:0:0:0:0", "1::" },
    { "0:0:0:0:0:0:0:1", "::1" },
    { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
    { "::ffff:192.0.2.1", "192.0.2.1" },
    { "::ffff:c000:201", "192.0.2.1" },
    { "0:0:0:0:0:FFFF:127.0.0.1", "127.0.0.1" },
    { "::192.0.2.1", "::c000:201" },
    { "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
    { "", NULL },
    { "1", NULL },
    { "1.2.3", NULL },
    { "1.2.3.4.5", NULL },
    { "1.2.3.4.", NULL },
    { ".1.2.3.4", NULL },
    { "1..2.3", NULL },
    { "01.2.3.4", NULL },
    { "1.2.3.04", NULL },
    { "0x1.2.3.4", NULL },
    { "256.2.3.4", NULL },
    { "1.2.3.4 ", NULL },
    { " 1.2.3.4", NULL },
    { "+1.2.3.4", NULL },
    { "-1.2.3.4", NULL },
    { "1.2.3.0000", NULL },
    { "[::1]", NULL },
    { "::1%lo", NULL },
    { "::1%1", NULL },
    { ":::", NULL },
    { ":", NULL },
    { "1:2:3:4:5:6:7", NULL },
    { "1:2:3:4:5:6:7:8:9", NULL },
    { "1::2::3", NULL },
    { "12345::", NULL },
    { "g::", NULL },
    { "::1.2.3", NULL },
    { "::1.2.3.04", NULL },
    { "::ffff:1.2.3.256", NULL },
    { "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
};

static void strict_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(strict_rows); i++) {
        struct addr a;
        bool ok = addr_parse(slice_of(strict_rows[i].in), &a);
        if (ok != (strict_rows[i].out != NULL))
            fail_msg("%s: %s", strict_rows[i].in, ok ? "taken" : "refused");
        if (!ok)
            continue;
        assert_string_equal(shown(&a, false), strict_rows[i].out);
        assert_int_equal(a.port, 0);
        assert_int_equal(a.scope, 0);
        /* What was printed is read back as the same address. */
        struct addr again;
        assert_true(addr_parse(slice_of(strict_rows[i].out), &again));
        assert_true(addr_same(&a, &again));
    }
    struct addr a;
    assert_false(addr_parse((struct slice){ "1.2.3.4\0", 8 }, &a));
    assert_false(addr_parse((struct slice){ "::1\0::", 6 }, &a));
    assert_false(addr_parse((struct slice){ NULL, 0 }, &a));
}

/* What a browser or libc would dial as IPv4. "!" is number-like but no address; NULL is a name. */
static const struct spelling loose_rows[] = {
    { "127.0.0.1", "127.0.0.1" },
    { "127.0.0.1.", "127.0.0.1" },
    { "127.1", "127.0.0.1" },
    { "127.0.1", "127.0.0.1" },
    { "127.65534", "127.0.255.254" },
    { "2130706433", "127.0.0.1" },
    { "017700000001", "127.0.0.1" },
    { "0x7f000001", "127.0.0.1" },
    { "0X7F000001", "127.0.0.1" },
    { "0x7f.1", "127.0.0.1" },
    { "0177.0.0.1", "127.0.0.1" },
    { "0177.0x0.0.01", "127.0.0.1" },
    { "0x00000000000000007f000001", "127.0.0.1" },
    { "00000000000000000000000000017700000001", "127.0.0.1" },
    { "0", "0.0.0.0" },
    { "0x", "0.0.0.0" },
    { "0.", "0.0.0.0" },
    { "00", "0.0.0.0" },
    { "0.0", "0.0.0.0" },
    { "1.2.65535", "1.2.255.255" },
    { "1.16777215", "1.255.255.255" },
    { "4294967295", "255.255.255.255" },
    { "0xa9.254.0251.0376", "169.254.169.254" },
    { "4294967296", "!" },
    { "99999999999999999999999999999999", "!" },
    { "0x1ffffffff", "!" },
    { "1.16777216", "!" },
    { "1.2.65536", "!" },
    { "1.2.3.256", "!" },
    { "256.1", "!" },
    { "256.2.3.4", "!" },
    { "1.2.3.4.5", "!" },
    { "1.2.3.4.5.", "!" },
    { "1..2", "!" },
    { ".1", "!" },
    { "..1", "!" },
    { "08", "!" },
    { "1.2.3.09", "!" },
    { "0x7g.1", "!" },
    { "a.1", "!" },
    { "example.0x", "!" },
    { "example.12", "!" },
    { "example.012.", "!" },
    { "foo.0xF", "!" },
    { "", NULL },
    { ".", NULL },
    { "..", NULL },
    { "a", NULL },
    { "example.com", NULL },
    { "1.example", NULL },
    { "1.2.3.4a", NULL },
    { "1.2.3.0xg", NULL },
    { "0x7f000001g", NULL },
    { "12a", NULL },
    { "1.2.3.4..", NULL },
    { "-1", NULL },
    { "+1", NULL },
    { "1.2.3.-4", NULL },
    { "::1", NULL },
};

static void loose_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(loose_rows); i++) {
        struct addr a;
        bool bad = i % 2; /* the old value must not matter */
        bool ok = addr_parse_loose4(slice_of(loose_rows[i].in), &a, &bad);
        const char *got = ok ? shown(&a, false) : bad ? "!" : NULL;
        if ((got == NULL) != (loose_rows[i].out == NULL) ||
            (got && strcmp(got, loose_rows[i].out) != 0))
            fail_msg("%s: %s instead of %s", loose_rows[i].in, got ? got : "a name",
                     loose_rows[i].out ? loose_rows[i].out : "a name");
        assert_false(ok && bad);
    }
}

static void text_with_port(void **state)
{
    static const struct spelling rows[] = {
        { "192.0.2.1:80", "192.0.2.1:80" },
        { "192.0.2.1:1", "192.0.2.1:1" },
        { "[::1]:65535", "[::1]:65535" },
        { "[::ffff:1.2.3.4]:443", "1.2.3.4:443" },
        { "192.0.2.1", NULL },
        { "192.0.2.1:", NULL },
        { "192.0.2.1:0", NULL },
        { "192.0.2.1:65536", NULL },
        { "192.0.2.1:080", NULL },
        { "192.0.2.1:+80", NULL },
        { "192.0.2.1:80 ", NULL },
        { "127.1:80", NULL },
        { ":80", NULL },
        { "::1:80", NULL },
        { "[::1]", NULL },
        { "[::1]80", NULL },
        { "[1.2.3.4]:80", NULL },
        { "[::1:80", NULL },
        { "[]:80", NULL },
        { "host:80", NULL },
        { "", NULL },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct addr a;
        bool ok = addr_parse_port(slice_of(rows[i].in), &a);
        if (ok != (rows[i].out != NULL))
            fail_msg("%s: %s", rows[i].in, ok ? "taken" : "refused");
        if (ok)
            assert_string_equal(shown(&a, true), rows[i].out);
    }
}

static void networks(void **state)
{
    static const struct {
        const char *in, *base;
        u8 bits;
        bool host_bits;
    } rows[] = {
        { "10.0.0.0/8", "10.0.0.0", 8, false },
        { "10.1.2.3/8", "10.0.0.0", 8, true },
        { "10.0.0.0/7", "10.0.0.0", 7, false },
        { "11.0.0.0/7", "10.0.0.0", 7, true },
        { "192.0.2.1", "192.0.2.1", 32, false },
        { "192.0.2.1/32", "192.0.2.1", 32, false },
        { "192.0.2.1/31", "192.0.2.0", 31, true },
        { "0.0.0.0/0", "0.0.0.0", 0, false },
        { "1.0.0.0/0", "0.0.0.0", 0, true },
        { "::/0", "::", 0, false },
        { "::1", "::1", 128, false },
        { "fc00::/7", "fc00::", 7, false },
        { "fd00::/7", "fc00::", 7, true },
        { "2001:db8::/33", "2001:db8::", 33, false },
        { "2001:db8:8000::/32", "2001:db8::", 32, true },
        { "::ffff:10.0.0.0/104", "10.0.0.0", 8, false },
        { "::ffff:10.1.0.0/104", "10.0.0.0", 8, true },
        { "::ffff:0:0/96", "0.0.0.0", 0, false },
        { "::ffff:1.2.3.4", "1.2.3.4", 32, false },
        { "::ffff:0:0/95", "::fffe:0:0", 95, true },
    };
    static const char *const refused[] = {
        "10.0.0.0/33",  "::/129",      "10.0.0.0/",   "10.0.0.0/08", "/8", "10/8",   "::/-1",
        "10.0.0.0/8/8", "10.0.0.0/ 8", "10.0.0.0/8 ", "a/8",         "",   "127.1/8"
    };
    (void)state;
    struct cidr c;
    bool host_bits;
    for (size_t i = 0; i < countof(rows); i++) {
        assert_true(cidr_parse(slice_of(rows[i].in), &c, &host_bits));
        assert_string_equal(shown(&c.base, false), rows[i].base);
        assert_int_equal(c.bits, rows[i].bits);
        assert_int_equal(host_bits, rows[i].host_bits);
    }
    for (size_t i = 0; i < countof(refused); i++)
        if (cidr_parse(slice_of(refused[i]), &c, &host_bits))
            fail_msg("%s: taken", refused[i]);
}

static void network_has_address(void **state)
{
    static const struct {
        const char *net, *addr;
        bool has;
    } rows[] = {
        { "10.0.0.0/8", "10.0.0.0", true },
        { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "9.255.255.255", false },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "172.16.0.0/12", "172.31.255.255", true },
        { "172.16.0.0/12", "172.32.0.0", false },
        { "172.16.0.0/12", "172.15.255.255", false },
        { "192.0.2.4/31", "192.0.2.5", true },
        { "192.0.2.4/31", "192.0.2.6", false },
        { "192.0.2.4", "192.0.2.4", true },
        { "192.0.2.4", "192.0.2.5", false },
        { "0.0.0.0/0", "255.255.255.255", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "1.2.3.4", false },
        { "::/0", "ffff::", true },
        { "0.0.0.0/0", "::ffff:1.2.3.4", true },
        { "fc00::/7", "fdff::", true },
        { "fc00::/7", "fe00::", false },
        { "2001:db8::1", "2001:db8::1", true },
        { "2001:db8::1", "2001:db8::2", false },
        { "2001:db8::/127", "2001:db8::1", true },
        { "2001:db8::/127", "2001:db8::2", false },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct cidr c;
        struct addr a;
        bool host_bits;
        assert_true(cidr_parse(slice_of(rows[i].net), &c, &host_bits));
        assert_true(addr_parse(slice_of(rows[i].addr), &a));
        if (cidr_has(&c, &a) != rows[i].has)
            fail_msg("%s in %s", rows[i].addr, rows[i].net);
    }
    struct cidr c = { .base = { .family = AF_INET } };
    assert_false(cidr_has(&c, &(struct addr){ 0 }));
}

static void sockaddr_both_ways(void **state)
{
    static const char *const rows[] = { "192.0.2.1:80", "[2001:db8::1]:443" };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct addr a, b;
        struct sockaddr_storage ss;
        assert_true(addr_parse_port(slice_of(rows[i]), &a));
        socklen_t n = addr_to_sockaddr(&a, &ss);
        assert_int_equal(n, i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        addr_from_sockaddr(&b, (struct sockaddr *)&ss);
        assert_true(addr_same(&a, &b));
        assert_true(addr_same_ip(&a, &b));
        b.port++;
        assert_false(addr_same(&a, &b));
        assert_true(addr_same_ip(&a, &b));
    }
}

static void sockaddr_special(void **state)
{
    (void)state;
    struct addr a, b;
    struct sockaddr_storage ss;
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons(7),
                                .sin6_scope_id = 3 };

    memcpy(&in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
    addr_from_sockaddr(&a, (struct sockaddr *)&in6);
    assert_int_equal(a.family, AF_INET);
    assert_string_equal(shown(&a, true), "192.0.2.1:7");
    assert_int_equal(a.scope, 0);

    memcpy(&in6.sin6_addr, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    addr_from_sockaddr(&a, (struct sockaddr *)&in6);
    assert_int_equal(a.scope, 0); /* only a link-local address has one */

    memcpy(&in6.sin6_addr, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    addr_from_sockaddr(&a, (struct sockaddr *)&in6);
    assert_int_equal(a.scope, 3);
    assert_string_equal(shown(&a, true), "[fe80::1%3]:7");
    addr_to_sockaddr(&a, &ss);
    addr_from_sockaddr(&b, (struct sockaddr *)&ss);
    assert_true(addr_same(&a, &b));
    b.scope = 4;
    assert_false(addr_same(&a, &b));

    addr_from_sockaddr(&a, &(struct sockaddr){ .sa_family = AF_UNIX });
    assert_int_equal(a.family, 0);
    assert_int_equal(addr_to_sockaddr(&a, &ss), 0);
    assert_string_equal(shown(&a, false), "-");
}

static void text_has_room(void **state)
{
    struct addr a;
    (void)state;
    memset(&a, 0xff, sizeof a);
    a.family = AF_INET6;
    assert_string_equal(shown(&a, true),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

/* Every address prints to a text that is read back as itself. */
static void random_round_trip(void **state)
{
    (void)state;
    u64 seed = 1;
    for (unsigned i = 0; i < 20000; i++) {
        struct addr a = { .family = AF_INET6 }, b;
        for (unsigned k = 0; k < 16; k += 2) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if (seed >> 63) { /* half of the groups are zero */
                a.ip[k] = (u8)(seed >> 40);
                a.ip[k + 1] = (u8)(seed >> 48);
            }
        }
        assert_true(addr_parse(slice_of(shown(&a, false)), &b));
        if (b.family == AF_INET6)
            assert_true(addr_same(&a, &b));
    }
}

static void wildcard_and_loopback(void **state)
{
    (void)state;
    static const char *const wildcards[] = { "0.0.0.0", "::" }, *const loopbacks[] = { "127.0.0.1",
                                                                                       "::1" };
    static const int families[] = { AF_INET, AF_INET6 };
    for (unsigned i = 0; i < 2; i++) {
        struct addr all, own, got = addr_loopback(families[i], 3128);
        assert_true(addr_parse(slice_of(wildcards[i]), &all));
        assert_true(addr_parse(slice_of(loopbacks[i]), &own));
        assert_true(addr_is_wildcard(&all));
        assert_false(addr_is_wildcard(&own));
        assert_true(addr_same_ip(&got, &own));
        assert_int_equal(got.port, 3128);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_text),         cmocka_unit_test(loose_text),
        cmocka_unit_test(text_with_port),      cmocka_unit_test(networks),
        cmocka_unit_test(network_has_address), cmocka_unit_test(sockaddr_both_ways),
        cmocka_unit_test(sockaddr_special),    cmocka_unit_test(text_has_room),
        cmocka_unit_test(random_round_trip),   cmocka_unit_test(wildcard_and_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
