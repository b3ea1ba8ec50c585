/* Spellings of values. Everything is digits first, then a unit from a short table. */
#include "config/value.h"

#include "base/str.h"

struct unit {
    const char *text;
    u64 factor;
};

/* Digits, then exactly one of the units ("" is allowed only where the table has it). */
static bool with_unit(struct slice s, const struct unit *units, size_t nunits, u64 *out)
{
    size_t digits = 0;
    u64 v;
    while (digits < s.n && ascii_digit(s.p[digits]))
        digits++;
    if (!slice_u64((struct slice){ s.p, digits }, &v))
        return false;
    struct slice unit = slice_skip(s, digits);
    for (size_t i = 0; i < nunits; i++)
        if (slice_eq_nocase(unit, slice_of(units[i].text)))
            return !__builtin_mul_overflow(v, units[i].factor, &v) && (*out = v, true);
    return false;
}

bool value_size(struct slice s, u64 *bytes)
{
    static const struct unit units[] = { { "", 1 },
                                         { "k", 1ull << 10 },
                                         { "m", 1ull << 20 },
                                         { "g", 1ull << 30 },
                                         { "t", 1ull << 40 } };
    return with_unit(s, units, countof(units), bytes);
}

bool value_duration(struct slice s, u64 *ms)
{
    static const struct unit units[] = { { "ms", 1 },
                                         { "s", 1000 },
                                         { "m", 60 * 1000 },
                                         { "h", 3600 * 1000 },
                                         { "d", 24 * 3600 * 1000 },
                                         { "w", 7ull * 24 * 3600 * 1000 } };
    return with_unit(s, units, countof(units), ms);
}

bool value_count(struct slice s, u64 *n)
{
    return slice_u64(s, n);
}

bool value_rate(struct slice s, u32 *count, u32 *period_ms)
{
    static const struct {
        struct slice name;
        u32 ms;
    } periods[] = { { { "s", 1 }, 1000 },
                    { { "min", 3 }, 60 * 1000 },
                    { { "h", 1 }, 3600 * 1000 } };
    struct slice number;
    u64 n;
    if (!slice_cut(&s, '/', &number) || !slice_u64(number, &n) || n < 1 || n > 1000000)
        return false;
    for (size_t i = 0; i < countof(periods); i++)
        if (slice_eq(s, periods[i].name)) {
            *count = (u32)n;
            *period_ms = periods[i].ms;
            return true;
        }
    return false;
}

static bool port(struct slice s, u16 *out)
{
    u64 v;
    if (!slice_u64(s, &v) || v < 1 || v > 65535)
        return false;
    *out = (u16)v;
    return true;
}

bool value_ports(struct slice s, u16 *first, u16 *last)
{
    struct slice rest = s, from;
    u16 a, b;
    if (!slice_cut(&rest, '-', &from) || !port(from, &a))
        return false;
    b = a;
    if (rest.p && !port(rest, &b))
        return false;
    if (a > b)
        return false;
    *first = a;
    *last = b;
    return true;
}

bool value_name(struct slice s)
{
    if (s.n == 0 || s.n > 64 || !(ascii_alpha(s.p[0]) || s.p[0] == '_'))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return true;
}

bool value_addr(struct slice s, struct addr *out)
{
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
        struct slice inner = { s.p + 1, s.n - 2 };
        return slice_find(inner, ':') && addr_parse(inner, out);
    }
    return addr_parse(s, out) || addr_parse_port(s, out);
}

bool value_bind(struct slice s, struct addr *out, bool *both)
{
    static const u8 none[16];
    struct addr a = { 0 };
    if (s.n > 2 && s.p[0] == '*' && s.p[1] == ':') {
        if (!port(slice_skip(s, 2), &a.port))
            return false;
        a.family = AF_INET6;
    } else if (!addr_parse_port(s, &a)) {
        return false;
    }
    *out = a;
    *both = a.family == AF_INET6 && memcmp(a.ip, none, sizeof none) == 0;
    return true;
}

bool value_server(struct slice s, struct slice *host, u16 *out)
{
    struct slice h, p;
    if (s.n && s.p[0] == '[') {
        const char *close = slice_find(s, ']');
        struct addr a;
        if (close == NULL)
            return false;
        h = slice_range(s.p + 1, close);
        p = slice_range(close + 1, s.p + s.n);
        if (!slice_find(h, ':') || !addr_parse(h, &a) || p.n == 0 || p.p[0] != ':')
            return false;
        p = slice_skip(p, 1);
    } else {
        p = s;
        if (!slice_cut(&p, ':', &h) || p.p == NULL || !value_host(h))
            return false;
    }
    u16 v;
    if (!port(p, &v))
        return false;
    *host = h;
    *out = v;
    return true;
}

bool value_host(struct slice s)
{
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || s.n > 253)
        return false;
    struct slice rest = s, label;
    while (slice_cut(&rest, '.', &label)) {
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!ascii_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
                return false;
    }
    return true;
}

bool value_host_pattern(struct slice s)
{
    if (slice_is(s, "*"))
        return true;
    if (slice_starts(s, SLICE("*.")))
        s = slice_skip(s, 2);
    else if (slice_starts(s, SLICE(".")))
        s = slice_skip(s, 1);
    return value_host(s);
}

bool value_method(struct slice s)
{
    if (s.n == 0 || s.n > 32)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alnum(s.p[i]) && !memchr("!#$%&'*+-.^_`|~", s.p[i], 15))
            return false;
    return true;
}

bool value_url_path(struct slice s)
{
    if (s.n == 0 || s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (c <= 0x20 || c == 0x7f || c == '?' || c == '#')
            return false;
    }
    return true;
}
