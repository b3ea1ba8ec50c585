/* Text by pointer and length. It owns nothing and is never NUL-terminated by contract. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <string.h>

#include "base/types.h"

struct slice {
    const char *p; /* NULL only together with n == 0 */
    size_t n;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
#define SLICE_FMT(s) (int)(s).n, (s).n ? (s).p : "" /* for "%.*s" */

static inline struct slice slice_of(const char *cstr)
{
    return (struct slice){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline struct slice slice_range(const char *from, const char *to)
{
    return (struct slice){ from, (size_t)(to - from) };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *cstr)
{
    return slice_eq(a, slice_of(cstr));
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool slice_ends(struct slice s, struct slice tail)
{
    return s.n >= tail.n && (tail.n == 0 || memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0);
}

/* Pointer to the first c in s, or NULL. */
static inline const char *slice_find(struct slice s, char c)
{
    return s.n ? memchr(s.p, c, s.n) : NULL;
}

/* s without its first k bytes; k is at most s.n. */
static inline struct slice slice_skip(struct slice s, size_t k)
{
    return (struct slice){ k ? s.p + k : s.p, s.n - k }; /* NULL + 0 is undefined */
}

#endif
