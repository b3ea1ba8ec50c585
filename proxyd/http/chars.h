/* Classes of bytes in HTTP grammar, one table look-up each. */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include "base/slice.h"

enum char_class {
    CHAR_TOKEN = 1,      /* tchar, RFC 9110 section 5.6.2 */
    CHAR_HOST = 2,       /* letter, digit, '-' or '_' */
    CHAR_UNRESERVED = 4, /* RFC 3986 section 2.3 */
    CHAR_CONTROL = 8,    /* below 0x20 except HTAB, and 0x7f */
    CHAR_URI = 16        /* may stand in path or query, RFC 3986 section 3.3; and '%' */
};

extern const u8 char_classes[256];
extern const char char_host_lower[256]; /* CHAR_HOST in lower case, NUL for all others */

static inline bool char_is(char c, unsigned class)
{
    return char_classes[(u8)c] & class;
}

/* Non-empty and tchar throughout. */
static inline bool slice_is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is(s.p[i], CHAR_TOKEN))
            return false;
    return s.n > 0;
}

#endif
