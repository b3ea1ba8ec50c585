/* Strict base64: RFC 4648 section 4 with its padding, and no bits behind the end, so that one pair
 * of words has one spelling and its hash is worth keeping. */
#include "policy/basic.h"

#include "base/str.h"

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bytes that were written; 0: it is malformed. */
static size_t decode(struct slice in, char *out)
{
    size_t n = 0, padding = 0;
    u32 bits = 0;
    if (in.n == 0 || in.n % 4 || in.n > BASIC_ENCODED_MOST)
        return 0;
    while (padding < 2 && in.p[in.n - 1 - padding] == '=')
        padding++;
    if (in.n / 4 * 3 - padding > BASIC_DECODED_MOST)
        return 0;
    for (size_t i = 0; i < in.n - padding; i++) {
        int d = digit(in.p[i]);
        if (d < 0)
            return 0;
        bits = bits << 6 | (u32)d;
        if (i % 4 != 0)
            out[n++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    u32 left = padding == 1 ? bits & 3 : padding == 2 ? bits & 15 : 0;
    return left ? 0 : n;
}

static bool is_scheme(struct slice *value)
{
    static const char scheme[] = "Basic";
    size_t n = sizeof scheme - 1;
    if (value->n <= n || !slice_eq_nocase((struct slice){ value->p, n }, SLICE(scheme)) ||
        value->p[n] != ' ')
        return false;
    *value = slice_trim(slice_skip(*value, n));
    return true;
}

bool basic_read(struct slice value, char *area, struct slice *name, struct slice *password)
{
    if (!is_scheme(&value))
        return false;
    struct slice both = { area, decode(value, area) };
    const char *colon = slice_find(both, ':');
    if (colon == NULL)
        return false;
    for (size_t i = 0; i < both.n; i++)
        if ((u8)both.p[i] < 0x20 || both.p[i] == 0x7f)
            return false;
    *name = slice_range(both.p, colon);
    *password = slice_range(colon + 1, both.p + both.n);
    return name->n > 0 && name->n <= 255;
}
