/*
 * Version 1 is a line of text, read word by word, with one blank between two words and each number
 * and address in its one strict form. Version 2 is binary: a signature, what it is, how long it is.
 */
#include "http/proxy_header.h"

#include <string.h>

#include "base/str.h"

enum {
    V2_SIGNATURE = 12, /* bytes; behind it: */
    V2_COMMAND = 12,   /* where the version and the command stand */
    V2_FAMILY = 13,
    V2_LENGTH = 14,
    V2_HEAD = 16, /* bytes before addresses */
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
    V2_TYPE_CRC32C = 3,
    V2_TYPED_HEAD = 3 /* bytes of type and length before a value */
};

static const char v1_begin[] = "PROXY ", v2_begin[] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- version 1 ---- */

/* The word up to the next blank, which is taken with it; an empty one is no word of any kind. */
static struct slice next_word(struct slice *rest)
{
    const char *blank = slice_find(*rest, ' ');
    struct slice word = { rest->p, blank ? (size_t)(blank - rest->p) : rest->n };
    *rest = slice_skip(*rest, blank ? word.n + 1 : word.n);
    return word;
}

static bool port_read(struct slice word, u16 *port)
{
    u64 n;
    if (word.n > 5 || (word.n > 1 && word.p[0] == '0') || !slice_u64(word, &n) || n > UINT16_MAX)
        return false;
    *port = (u16)n;
    return true;
}

static bool address_read(struct slice word, bool v6, struct addr *a)
{
    if (!v6)
        return addr_parse4(word, a);
    return slice_find(word, ':') && addr_parse(word, a);
}

/* The words behind "PROXY ". */
static bool line_read(struct slice rest, struct addr *client, struct addr *server)
{
    struct slice kind = next_word(&rest);
    bool v6 = slice_is(kind, "TCP6");
    if (slice_is(kind, "UNKNOWN"))
        return true;
    if (!v6 && !slice_is(kind, "TCP4"))
        return false;
    struct slice from = next_word(&rest), to = next_word(&rest), port = next_word(&rest);
    return address_read(from, v6, client) && address_read(to, v6, server) &&
           port_read(port, &client->port) && port_read(rest, &server->port);
}

static enum proxy_header read_v1(struct slice first, struct proxy_header_facts *out)
{
    size_t n = first.n < PROXY_HEADER_LINE_MOST ? first.n : PROXY_HEADER_LINE_MOST;
    const char *end = slice_find((struct slice){ first.p, n }, '\n');
    if (end == NULL)
        return n < PROXY_HEADER_LINE_MOST ? PROXY_HEADER_MORE : PROXY_HEADER_BROKEN;
    out->len = (u32)(end - first.p) + 1;
    struct slice line = { first.p + sizeof v1_begin - 1, out->len - sizeof v1_begin };
    if (line.n == 0 || line.p[line.n - 1] != '\r' || memchr(line.p, '\r', line.n - 1))
        return PROXY_HEADER_BROKEN;
    line.n--;
    out->client = out->server = (struct addr){ .family = 0 };
    return line_read(line, &out->client, &out->server) ? PROXY_HEADER_WHOLE : PROXY_HEADER_BROKEN;
}

/* ---- version 2 ---- */

static u32 number(const char *p, unsigned bytes)
{
    u32 n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | (u8)p[i];
    return n;
}

/* Over the header with zeroes in place of the sum itself. */
static u32 crc32c(struct slice header, size_t at)
{
    u32 crc = UINT32_MAX;
    for (size_t i = 0; i < header.n; i++) {
        crc ^= i - at < 4 ? 0 : (u8)header.p[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* What stands behind the addresses is passed over, but for the sum. */
static bool typed_read(struct slice header, size_t at)
{
    bool summed = false;
    while (at < header.n) {
        if (header.n - at < V2_TYPED_HEAD)
            return false;
        u32 n = number(header.p + at + 1, 2);
        size_t value = at + V2_TYPED_HEAD;
        if (n > header.n - value)
            return false;
        if (header.p[at] == V2_TYPE_CRC32C) {
            if (summed || n != 4 || number(header.p + value, 4) != crc32c(header, value))
                return false;
            summed = true;
        }
        at = value + n;
    }
    return true;
}

/* What it is for, and how many bytes of addresses that takes. TCP, as we have been connected to, or
 * a unix socket, or nothing that says so. */
static const struct family {
    u8 byte, family, bytes; /* of an address */
    u16 size;               /* of both, and ports */
} families[] = {
    { 0x00, 0, 0, 0 }, { 0x11, AF_INET, 4, 12 }, { 0x21, AF_INET6, 16, 36 }, { 0x31, 0, 0, 216 }
};

static const struct family *family_of(u8 byte)
{
    for (unsigned i = 0; i < countof(families); i++)
        if (families[i].byte == byte)
            return &families[i];
    return NULL;
}

static bool addresses_read(struct slice header, const struct family *f, struct addr *client,
                           struct addr *server)
{
    const char *p = header.p + V2_HEAD;
    if (header.n < V2_HEAD + (size_t)f->size)
        return false;
    if (f->bytes) {
        *client = addr_of_bytes(f->family, (const u8 *)p);
        client->port = (u16)number(p + 2 * (size_t)f->bytes, 2);
        *server = addr_of_bytes(f->family, (const u8 *)p + f->bytes);
        server->port = (u16)number(p + 2 * (size_t)f->bytes + 2, 2);
    }
    return f->byte == 0 || typed_read(header, V2_HEAD + (size_t)f->size);
}

/* The order of the questions is that of the bytes. */
static enum proxy_header read_v2(struct slice first, struct proxy_header_facts *out)
{
    u8 command = first.n > V2_COMMAND ? (u8)first.p[V2_COMMAND] : V2_LOCAL;
    if (command != V2_LOCAL && command != V2_PROXY)
        return PROXY_HEADER_BROKEN;
    const struct family *f =
        family_of(command == V2_PROXY && first.n > V2_FAMILY ? (u8)first.p[V2_FAMILY] : 0);
    if (f == NULL)
        return PROXY_HEADER_BROKEN;
    if (first.n < V2_HEAD)
        return PROXY_HEADER_MORE;
    out->len = V2_HEAD + number(first.p + V2_LENGTH, 2);
    if (out->len > PROXY_HEADER_MOST)
        return PROXY_HEADER_BROKEN;
    if (first.n < out->len)
        return PROXY_HEADER_MORE;
    out->client = out->server = (struct addr){ .family = 0 };
    struct slice header = { first.p, out->len };
    return addresses_read(header, f, &out->client, &out->server) ? PROXY_HEADER_WHOLE
                                                                 : PROXY_HEADER_BROKEN;
}

/* Of the bytes that there are, as many as there are of it. */
static bool begins(struct slice first, const char *with, size_t n)
{
    return memcmp(first.p, with, first.n < n ? first.n : n) == 0;
}

enum proxy_header proxy_header_read(struct slice first, struct proxy_header_facts *out)
{
    if (first.n == 0)
        return PROXY_HEADER_MORE;
    if (begins(first, v1_begin, sizeof v1_begin - 1))
        return first.n < sizeof v1_begin - 1 ? PROXY_HEADER_MORE : read_v1(first, out);
    if (begins(first, v2_begin, V2_SIGNATURE))
        return read_v2(first, out);
    return PROXY_HEADER_NONE;
}
