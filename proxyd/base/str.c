#include "base/str.h"

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

/* Nineteen digits are below 2^64, whatever they are. */
bool slice_u64(struct slice s, u64 *out)
{
    enum { SAFE_DIGITS = 19 };
    u64 v = 0;
    size_t i = 0;
    u32 digit;
    for (; i < s.n && i < SAFE_DIGITS; i++) {
        if ((digit = (u32)s.p[i] - '0') > 9)
            return false;
        v = v * 10 + digit;
    }
    for (; i < s.n; i++)
        if ((digit = (u32)s.p[i] - '0') > 9 || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, digit, &v))
            return false;
    if (s.n)
        *out = v;
    return s.n > 0;
}

struct slice slice_trim(struct slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool slice_cut(struct slice *rest, char sep, struct slice *piece)
{
    if (rest->p == NULL)
        return false;
    const char *at = slice_find(*rest, sep);
    if (at == NULL) {
        *piece = *rest;
        *rest = (struct slice){ NULL, 0 };
        return true;
    }
    *piece = slice_range(rest->p, at);
    *rest = slice_range(at + 1, rest->p + rest->n);
    return true;
}

size_t utf8_first(struct slice text, u32 *point)
{
    const u8 *s = (const u8 *)text.p;
    *point = s[0];
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || text.n < len)
        return 0;
    *point = s[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (s[i] & 0x3f);
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

bool utf8_valid(struct slice s, size_t *bad)
{
    for (size_t i = 0; i < s.n;) {
        u32 point;
        size_t len = utf8_first(slice_skip(s, i), &point);
        if (len == 0) {
            if (bad)
                *bad = i;
            return false;
        }
        i += len;
    }
    return true;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned str_distance(struct slice a, struct slice b, unsigned limit)
{
    enum { LONGEST = 64, ROWS = 3 }; /* an exchange looks two rows back */
    unsigned rows[ROWS][LONGEST + 1];
    size_t differ = a.n > b.n ? a.n - b.n : b.n - a.n; /* each costs an edit */
    if (a.n > LONGEST || b.n > LONGEST || differ > limit)
        return limit + 1;
    for (unsigned j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *row = rows[i % ROWS];
        const unsigned *above = rows[(i - 1) % ROWS], *higher = rows[(i + 1) % ROWS];
        char c = ascii_lower(a.p[i - 1]), before = i > 1 ? ascii_lower(a.p[i - 2]) : 0;
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            char d = ascii_lower(b.p[j - 1]);
            row[j] = least(above[j - 1] + (c != d), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && c == ascii_lower(b.p[j - 2]) && before == d)
                row[j] = least(row[j], higher[j - 2] + 1);
        }
    }
    unsigned found = rows[a.n % ROWS][b.n];
    return found > limit ? limit + 1 : found;
}
