/* PROXY headers: every split, each field that does not add up, and what is not one. */
#include "http/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 "\xc0\0\2\1\xc6\x33\x64\2\x30\x39\1\xbb" /* 192.0.2.1:12345 to 198.51.100.2:443 */

/* The same for each number of bytes from a copy that ends there: MORE, and then what it is. */
static enum proxy_header read_split(const char *p, size_t n, struct proxy_header_facts *out)
{
    enum proxy_header whole = PROXY_HEADER_MORE;
    for (size_t have = 0; have <= n; have++) {
        char *copy = malloc(have ? have : 1);
        memcpy(copy, p, have);
        enum proxy_header now = proxy_header_read((struct slice){ copy, have }, out);
        free(copy);
        assert_true(whole == PROXY_HEADER_MORE || now == whole);
        whole = now;
    }
    return whole;
}

struct row {
    const char *bytes;
    size_t n;
    enum proxy_header is;
    const char *client;
};
#define ROW(bytes, ...)                                                                            \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, __VA_ARGS__                                                      \
    }

static void check(const struct row *r)
{
    struct proxy_header_facts facts;
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    assert_int_equal(read_split(r->bytes, r->n, &facts), r->is);
    if (r->is != PROXY_HEADER_WHOLE)
        return;
    if (facts.client.family)
        addr_text_port(&t, &facts.client);
    assert_int_equal(t.n, strlen(r->client));
    assert_memory_equal(t.p, r->client, t.n);
}

#define WHOLE PROXY_HEADER_WHOLE
#define BROKEN PROXY_HEADER_BROKEN
#define MORE PROXY_HEADER_MORE
#define NONE PROXY_HEADER_NONE

static void lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n", WHOLE, "192.0.2.1:12345"),
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 0 65535\r\nGET /", WHOLE, "192.0.2.1:0"),
        ROW("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", WHOLE, "[2001:db8::1]:1"),
        ROW("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", WHOLE, "192.0.2.1:1"),
        ROW("PROXY UNKNOWN\r\n", WHOLE, ""),
        ROW("PROXY UNKNOWN ffff::1 anything at all\r\n", WHOLE, ""),
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443 \r\n", BROKEN, NULL),
        ROW("PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP4 ::1 ::1 1 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP6 192.0.2.1 ::1 1 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP6 fe80::1%lo ::1 1 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", BROKEN, NULL),
        ROW("PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n", BROKEN, NULL),
        ROW("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n", BROKEN, NULL),
        ROW("PROXY UNKNOWN a\rb\r\n", BROKEN, NULL),
        ROW("PROXY \n", BROKEN, NULL),
        ROW("PROXY \r\n", BROKEN, NULL),
        ROW("PROXY TCP4 192.0.2.1", MORE, NULL),
        ROW("PROXYT", NONE, NULL),
        ROW("proxy TCP4", NONE, NULL),
        ROW("GET / HTTP/1.1\r\n", NONE, NULL),
        ROW("\r\n\r\nGET", NONE, NULL),
        ROW("\x16\3\1", NONE, NULL),
    };
    for (unsigned i = 0; i < countof(rows); i++)
        check(&rows[i]);
}

static void a_line_is_not_endless(void **state)
{
    (void)state;
    struct proxy_header_facts facts;
    char line[200];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + PROXY_HEADER_LINE_MOST - 2, "\r\n", 2);
    assert_int_equal(read_split(line, sizeof line, &facts), WHOLE);
    assert_int_equal(facts.len, PROXY_HEADER_LINE_MOST);
    memcpy(line + PROXY_HEADER_LINE_MOST - 2, "x\r\n", 3);
    assert_int_equal(read_split(line, sizeof line, &facts), BROKEN);
}

static void binary(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW(V2 "\x21\x11\0\x0c" TCP4, WHOLE, "192.0.2.1:12345"),
        ROW(V2 "\x21\x11\0\x0c" TCP4 "GET /", WHOLE, "192.0.2.1:12345"),
        ROW(V2 "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2",
            WHOLE, "[2001:db8::1]:1"),
        ROW(V2 "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2",
            WHOLE, "192.0.2.1:1"),
        ROW(V2 "\x20\0\0\0", WHOLE, ""),
        ROW(V2 "\x20\x11\0\x0c" TCP4, WHOLE, ""), /* a front's own: what it says is passed over */
        ROW(V2 "\x20\xff\0\1x", WHOLE, ""),
        ROW(V2 "\x21\0\0\3abc", WHOLE, ""),
        ROW(V2 "\x21\x11\0\x10" TCP4 "\4\0\1x", WHOLE, "192.0.2.1:12345"),
        ROW(V2 "\x21\x11\0\x0f" TCP4 "\xee\0\0", WHOLE, "192.0.2.1:12345"),
        ROW(V2 "\x22\x11\0\x0c" TCP4, BROKEN, NULL), /* a command that there is not */
        ROW(V2 "\x11\x11\0\x0c" TCP4, BROKEN, NULL), /* nor the version */
        ROW(V2 "\x21\x12\0\x0c" TCP4, BROKEN, NULL), /* UDP has come over TCP? */
        ROW(V2 "\x21\x10\0\x0c" TCP4, BROKEN, NULL),
        ROW(V2 "\x21\x41\0\x0c" TCP4, BROKEN, NULL),
        ROW(V2 "\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\2\x30\x39\1", BROKEN, NULL),
        ROW(V2 "\x21\x11\0\x0e" TCP4 "\4\0", BROKEN, NULL),
        ROW(V2 "\x21\x11\0\x10" TCP4 "\4\0\2x", BROKEN, NULL),
        ROW(V2 "\x21\x11\x07\xf1", BROKEN, NULL),
        ROW(V2 "\x21\x11\x07\xf0", MORE, NULL),
        ROW(V2 "\x21\x11\0\x0c\xc0\0", MORE, NULL),
        ROW("\r\n\r\n\0\r\nQUIT\r", NONE, NULL),
    };
    for (unsigned i = 0; i < countof(rows); i++)
        check(&rows[i]);
}

/* That the sum is the one that others make is shown end to end, with haproxy. */
static void a_checksum(void **state)
{
    (void)state;
    struct proxy_header_facts facts;
    static const char header[] = V2 "\x21\x11\0\x13" TCP4 "\3\0\4";
    enum { N = sizeof header - 1 };
    char h[N + 4];
    memcpy(h, header, N);
    u32 crc = UINT32_MAX;
    memset(h + N, 0, 4);
    for (unsigned i = 0; i < sizeof h; i++) {
        crc ^= (u8)h[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    crc = ~crc;
    for (unsigned i = 0; i < 4; i++)
        h[N + i] = (char)(crc >> (24 - 8 * i));
    assert_int_equal(read_split(h, sizeof h, &facts), WHOLE);
    for (unsigned i = 16; i < sizeof h; i += i == 27 ? 4 : 1) { /* addresses and sum */
        h[i] ^= 1;
        assert_int_not_equal(proxy_header_read((struct slice){ h, sizeof h }, &facts), WHOLE);
        h[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(a_line_is_not_endless),
        cmocka_unit_test(binary),
        cmocka_unit_test(a_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
