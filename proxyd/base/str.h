/* ASCII without locale: case, numbers, classes of characters. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/slice.h"

static inline char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}
static inline bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool ascii_alpha(char c)
{
    return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}
static inline bool ascii_alnum(char c)
{
    return ascii_digit(c) || ascii_alpha(c);
}
/* 0–15, or -1. */
static inline int ascii_hex(char c)
{
    if (ascii_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}

/* The byte that %XX stands for, at the beginning of n bytes at p; -1: there is none. */
static inline int percent_decoded(const char *p, size_t n)
{
    if (n < 3 || p[0] != '%')
        return -1;
    int high = ascii_hex(p[1]), low = ascii_hex(p[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Equal but for ASCII case. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* All of s as a decimal number: digits only, no sign, no blank, at least one digit; false on
 * anything else or when it does not fit u64. *out is untouched on false. */
bool slice_u64(struct slice s, u64 *out);

/* s without leading and trailing blanks and tabs. */
struct slice slice_trim(struct slice s);

/* Cuts the text before the first sep off *rest; false when *rest is exhausted (p == NULL). An
 * empty last piece is a piece: "a," yields "a" and "". */
bool slice_cut(struct slice *rest, char sep, struct slice *piece);

/* Bytes of the first character of s, which is not empty, and its code point; 0 when it is malformed
 * (cut short, overlong, a surrogate, above U+10FFFF). */
size_t utf8_first(struct slice s, u32 *point);
/* Well-formed UTF-8 by RFC 3629? On false, *bad (may be NULL) is the offset of the first bad
 * byte. */
bool utf8_valid(struct slice s, size_t *bad);

/* How many letters to add, drop, change or exchange with their neighbour lead from a to b (optimal
 * string alignment, without case), bounded: anything over limit comes back as limit + 1. */
unsigned str_distance(struct slice a, struct slice b, unsigned limit);

#endif
