/*
 * Parsing and printing of addresses, own code but for the IPv6 groups, where inet_pton is strict
 * enough. The hard thing is the loose IPv4 form: it has to accept exactly what a browser or libc
 * would dial, because a spelling that policy takes for a name and the resolver for an address is
 * a way around every rule.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/must.h"
#include "base/str.h"

static const u8 mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_mapped(const u8 ip[16])
{
    return memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

static void set4(struct addr *a, const u8 ip[4])
{
    *a = (struct addr){ .family = AF_INET };
    memcpy(a->ip, ip, 4);
}

static void set6(struct addr *a, const u8 ip[16])
{
    if (is_mapped(ip)) {
        set4(a, ip + 12);
        return;
    }
    *a = (struct addr){ .family = AF_INET6 };
    memcpy(a->ip, ip, 16);
}

/* A decimal number of 1 to `digits` digits without leading zero; -1 when it is not one. */
static long plain_number(struct slice s, size_t digits)
{
    u64 v;
    if (s.n > digits || (s.n > 1 && s.p[0] == '0') || !slice_u64(s, &v))
        return -1;
    return (long)v;
}

static bool parse4(struct slice s, u8 ip[4])
{
    const char *p = s.p, *end = p ? p + s.n : p;
    for (unsigned i = 0; i < 4; i++) {
        u32 v = p < end ? (u32)*p++ - '0' : 10, digit;
        if (v > 9)
            return false;
        for (unsigned more = v ? 2 : 0; more-- && p < end && (digit = (u32)*p - '0') <= 9; p++)
            v = v * 10 + digit;
        if (v > 255 || (i < 3 && (p == end || *p++ != '.')))
            return false;
        ip[i] = (u8)v;
    }
    return p == end;
}

/* The 16 bytes as written, mapped forms included. */
static bool parse6(struct slice s, u8 ip[16])
{
    char z[INET6_ADDRSTRLEN];
    if (s.n == 0 || s.n >= sizeof z || memchr(s.p, 0, s.n))
        return false;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    return inet_pton(AF_INET6, z, ip) == 1;
}

bool addr_parse(struct slice s, struct addr *out)
{
    u8 ip[16];
    if (parse4(s, ip))
        set4(out, ip);
    else if (parse6(s, ip))
        set6(out, ip);
    else
        return false;
    return true;
}

bool addr_parse4(struct slice s, struct addr *out)
{
    u8 ip[4];
    if (!parse4(s, ip))
        return false;
    set4(out, ip);
    return true;
}

/* One part of a loose IPv4 address; values beyond 32 bits saturate just above. */
static bool loose_number(struct slice s, u64 *out)
{
    unsigned base = 10;
    u64 v = 0;
    if (s.n == 0)
        return false;
    if (s.n >= 2 && s.p[0] == '0') {
        base = ascii_lower(s.p[1]) == 'x' ? 16 : 8;
        s = slice_skip(s, base == 16 ? 2 : 1);
    }
    for (size_t i = 0; i < s.n; i++) {
        int d = ascii_hex(s.p[i]);
        if (d < 0 || (unsigned)d >= base)
            return false;
        v = v * base + (unsigned)d;
        if (v >> 32)
            v = (u64)1 << 32;
    }
    *out = v;
    return true;
}

static bool ends_in_number(struct slice s)
{
    size_t from = s.n;
    while (from > 0 && s.p[from - 1] != '.')
        from--;
    struct slice last = slice_skip(s, from);
    bool digits = last.n > 0;
    for (size_t i = 0; i < last.n; i++)
        digits = digits && ascii_digit(last.p[i]);
    u64 v;
    return digits || loose_number(last, &v);
}

bool addr_parse_loose4(struct slice s, struct addr *out, bool *bad)
{
    *bad = false;
    if (s.n > 1 && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || !ends_in_number(s))
        return false;

    u64 part[4] = { 0 };
    unsigned n = 0;
    struct slice piece;
    *bad = true;
    while (slice_cut(&s, '.', &piece)) {
        if (n == 4 || !loose_number(piece, &part[n]))
            return false;
        n++;
    }
    must(n > 0); /* s was not empty */
    u64 ip = part[n - 1];
    if (ip >> (8 * (5 - n)))
        return false;
    for (unsigned i = 0; i + 1 < n; i++) {
        if (part[i] > 255)
            return false;
        ip |= part[i] << (8 * (3 - i));
    }
    *bad = false;
    set4(out, (u8[4]){ (u8)(ip >> 24), (u8)(ip >> 16), (u8)(ip >> 8), (u8)ip });
    return true;
}

bool addr_parse_port(struct slice s, struct addr *out)
{
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    long port = plain_number(slice_skip(s, colon), 5);
    if (port < 1 || port > 65535)
        return false;

    struct slice host = { s.p, colon - 1 };
    u8 ip[16];
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        if (!parse6((struct slice){ host.p + 1, host.n - 2 }, ip))
            return false;
        set6(out, ip);
    } else if (parse4(host, ip)) {
        set4(out, ip);
    } else {
        return false;
    }
    out->port = (u16)port;
    return true;
}

/* Clears the bits of ip[0..len) below the prefix; true when one was set. */
static bool clear_host_bits(u8 *ip, size_t len, unsigned bits)
{
    bool any = false;
    for (size_t i = 0; i < len; i++) {
        unsigned kept = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * (unsigned)i;
        u8 mask = (u8)(0xff00u >> kept);
        any = any || (ip[i] & (u8)~mask);
        ip[i] &= mask;
    }
    return any;
}

bool cidr_parse(struct slice s, struct cidr *out, bool *host_bits)
{
    const char *slash = slice_find(s, '/');
    struct slice text = slash ? slice_range(s.p, slash) : s;
    u8 ip[16];
    bool four = parse4(text, ip);
    if (!four && !parse6(text, ip))
        return false;

    long bits = four ? 32 : 128;
    if (slash) {
        long given = plain_number(slice_range(slash + 1, s.p + s.n), 3);
        if (given < 0 || given > bits)
            return false;
        bits = given;
    }
    *host_bits = clear_host_bits(ip, four ? 4 : 16, (unsigned)bits);
    *out = (struct cidr){ .bits = (u8)bits };
    if (four) {
        set4(&out->base, ip);
        return true;
    }
    set6(&out->base, ip);
    if (out->base.family == AF_INET) /* mapped, so the prefix covers all of its first 96 bits */
        out->bits = (u8)(bits - 96);
    return true;
}

bool cidr_has(const struct cidr *c, const struct addr *a)
{
    if (c->base.family != a->family)
        return false;
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    if (memcmp(c->base.ip, a->ip, whole) != 0)
        return false;
    return rest == 0 || ((c->base.ip[whole] ^ a->ip[whole]) >> (8 - rest)) == 0;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool addr_same(const struct addr *a, const struct addr *b)
{
    return addr_same_ip(a, b) && a->scope == b->scope && a->port == b->port;
}

bool addr_is_wildcard(const struct addr *a)
{
    static const u8 zero[16];
    return memcmp(a->ip, zero, sizeof zero) == 0;
}

struct addr addr_loopback(int family, u16 port)
{
    struct addr a = { .family = (u8)family, .port = port };
    if (family == AF_INET)
        a.ip[0] = 127, a.ip[3] = 1;
    else
        a.ip[15] = 1;
    return a;
}

struct addr addr_of_bytes(int family, const u8 *ip)
{
    struct addr a;
    if (family == AF_INET)
        set4(&a, ip);
    else
        set6(&a, ip);
    return a;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == AF_INET) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(ss, &in, sizeof in);
        return sizeof in;
    }
    if (a->family == AF_INET6) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                    .sin6_port = htons(a->port),
                                    .sin6_scope_id = a->scope };
        memcpy(&in6.sin6_addr, a->ip, 16);
        memcpy(ss, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}

void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa)
{
    *a = (struct addr){ 0 };
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        set4(a, (const u8 *)&in.sin_addr);
        a->port = ntohs(in.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        set6(a, in6.sin6_addr.s6_addr);
        a->port = ntohs(in6.sin6_port);
        bool link_local = a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
        a->scope = a->family == AF_INET6 && link_local ? in6.sin6_scope_id : 0;
    }
}

/* RFC 5952: the first of the longest runs of at least two zero groups becomes "::". All groups stay
 * hexadecimal, as browsers write them, so that one address has one text in logs and in rules. */
static void text6(struct text *t, const u8 ip[16])
{
    unsigned group[8], run_at = 8, run_len = 1;
    for (size_t i = 0; i < 8; i++)
        group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
    for (unsigned i = 0, len; i < 8; i += len + 1) {
        for (len = 0; i + len < 8 && group[i + len] == 0;)
            len++;
        if (len > run_len) {
            run_at = i;
            run_len = len;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == run_at) {
            text_lit(t, "::");
            i += run_len - 1;
            continue;
        }
        if (i > 0 && i != run_at + run_len)
            text_char(t, ':');
        text_hex(t, group[i]);
    }
}

/* Two of them stand in every log line: made here they cost a third of four numbers. */
static void text4(struct text *t, const u8 ip[4])
{
    char d[16], *p = d;
    for (unsigned i = 0; i < 4; i++) {
        unsigned v = ip[i];
        if (v >= 100)
            *p++ = (char)('0' + v / 100);
        if (v >= 10)
            *p++ = (char)('0' + v / 10 % 10);
        *p++ = (char)('0' + v % 10);
        *p++ = '.';
    }
    text_put(t, d, (size_t)(p - d) - 1);
}

void addr_text(struct text *t, const struct addr *a)
{
    if (a->family == AF_INET) {
        text4(t, a->ip);
    } else if (a->family == AF_INET6) {
        text6(t, a->ip);
        if (a->scope) {
            text_char(t, '%');
            text_u64(t, a->scope);
        }
    } else {
        text_char(t, '-');
    }
}

void addr_text_host(struct text *t, const struct addr *a)
{
    bool six = a->family == AF_INET6;
    if (six)
        text_char(t, '[');
    addr_text(t, a);
    if (six)
        text_char(t, ']');
}

void addr_text_port(struct text *t, const struct addr *a)
{
    addr_text_host(t, a);
    text_char(t, ':');
    text_u64(t, a->port);
}
