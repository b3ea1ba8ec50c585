/*
 * Sixteen bytes at a time. SSE2 is part of every amd64; elsewhere the same questions are answered
 * by plain loops. Nothing here ever reads outside [base, end): the last bytes are read as the end
 * of an overlapping block where sixteen bytes exist, else one by one.
 */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include "http/chars.h"

#if defined(__SSE2__) && !defined(PROXYD_NO_SIMD)
#include <emmintrin.h>
#define SCAN_BLOCKS 1
#else
#define SCAN_BLOCKS 0
#endif

/* What up to 64 bytes hold, one bit per byte, the first byte lowest. */
struct scan_bits {
    u64 cr, lf;
    bool other; /* perhaps some other control: surely when it is one, and for HTAB and 0x80 on */
};

#if SCAN_BLOCKS
static inline __m128i scan_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i scan_same(__m128i x, char c)
{
    return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

static inline u32 scan_mask(__m128i x)
{
    return (u32)_mm_movemask_epi8(x);
}

/* Controls, and 0x80 on: from a signed compare of what is one higher. */
static inline __m128i scan_is_unusual(__m128i x)
{
    return _mm_cmplt_epi8(_mm_add_epi8(x, _mm_set1_epi8(1)), _mm_set1_epi8(0x21));
}

static inline __m128i scan_is_control(__m128i x)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
    return _mm_or_si128(_mm_andnot_si128(scan_same(x, '\t'), low), scan_same(x, 0x7f));
}

/* '@' or not CHAR_URI, in groups of one bit pattern each. Signed compare: bytes from 0x80 are
 * negative, so they are below '!' too. */
static inline __m128i scan_is_odd(__m128i x)
{
    __m128i low = _mm_cmplt_epi8(x, _mm_set1_epi8('!'));
    __m128i quote = scan_same(_mm_or_si128(x, _mm_set1_epi8(1)), '#'); /* " # */
    __m128i angle = scan_same(_mm_or_si128(x, _mm_set1_epi8(2)), '>'); /* < > */
    __m128i next = _mm_add_epi8(x, _mm_set1_epi8(1));
    __m128i bracket = scan_same(_mm_or_si128(next, _mm_set1_epi8(0x23)), 0x7f); /* [\]^ {|}~ */
    __m128i at = scan_same(_mm_or_si128(x, _mm_set1_epi8(0x20)), '`');          /* ` @ */
    __m128i single = _mm_or_si128(at, scan_same(x, 0x7f));
    bracket = _mm_andnot_si128(scan_same(x, '~'), bracket);
    return _mm_or_si128(_mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(angle, single)),
                        bracket);
}

static inline __m128i scan_in(__m128i x, char first, char last)
{
    return _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8((char)(first - 1))),
                         _mm_cmplt_epi8(x, _mm_set1_epi8((char)(last + 1))));
}

/* x in lower case; *dots: one bit per '.', *other: per byte that is neither a dot nor CHAR_HOST. */
static inline __m128i scan_host(__m128i x, u32 *dots, u32 *other)
{
    __m128i upper = _mm_and_si128(scan_in(x, 'A', 'Z'), _mm_set1_epi8(0x20));
    __m128i lower = _mm_or_si128(x, upper), dot = scan_same(x, '.');
    __m128i word = _mm_or_si128(scan_in(lower, 'a', 'z'), scan_in(x, '0', '9'));
    __m128i sign = _mm_or_si128(scan_same(x, '-'), scan_same(x, '_'));
    *dots = scan_mask(dot);
    *other = scan_mask(_mm_or_si128(_mm_or_si128(word, sign), dot)) ^ 0xffff;
    return lower;
}
#endif

enum { SCAN_STEP = 64 };

/* Where to read 64 bytes for p, which is in [first, end): *shift is how far the bits are to be
 * moved down then. pad is used when there are no 64 bytes at all, and filled with blanks. */
static inline const char *scan_area(const char *first, const char *p, const char *end, char *pad,
                                    unsigned *shift)
{
    *shift = 0;
    if (likely(end - p >= SCAN_STEP))
        return p;
    if (likely(end - first >= SCAN_STEP)) {
        *shift = (unsigned)(SCAN_STEP - (end - p));
        return end - SCAN_STEP;
    }
    memset(pad, ' ', SCAN_STEP);
    memcpy(pad, p, (size_t)(end - p));
    return pad;
}

static inline void scan_lines(struct scan_bits *b, const char *first, const char *p,
                              const char *end)
{
    char pad[SCAN_STEP];
    unsigned shift;
    p = scan_area(first, p, end, pad, &shift);
    u64 cr = 0, lf = 0;
#if SCAN_BLOCKS
    __m128i other = _mm_setzero_si128();
#define SCAN_QUARTER(i)                                                                            \
    do {                                                                                           \
        __m128i x = scan_load(p + (i)), is_cr = scan_same(x, '\r'), is_lf = scan_same(x, '\n');    \
        other =                                                                                    \
            _mm_or_si128(other, _mm_andnot_si128(_mm_or_si128(is_cr, is_lf), scan_is_unusual(x))); \
        cr |= (u64)scan_mask(is_cr) << (i);                                                        \
        lf |= (u64)scan_mask(is_lf) << (i);                                                        \
    } while (0)
    SCAN_QUARTER(0);
    SCAN_QUARTER(16);
    SCAN_QUARTER(32);
    SCAN_QUARTER(48);
#undef SCAN_QUARTER
    b->other = scan_mask(other) != 0;
#else
    b->other = false;
    for (unsigned i = 0; i < SCAN_STEP; i++) {
        cr |= (u64)(p[i] == '\r') << i;
        lf |= (u64)(p[i] == '\n') << i;
        b->other |= char_is(p[i], CHAR_CONTROL) && p[i] != '\r' && p[i] != '\n';
    }
#endif
    b->cr = cr >> shift;
    b->lf = lf >> shift;
}

/* One bit per control in the 64 bytes from p on (none beyond end), CR and LF included, HTAB not. */
static inline u64 scan_controls(const char *first, const char *p, const char *end)
{
    char pad[SCAN_STEP];
    unsigned shift;
    p = scan_area(first, p, end, pad, &shift);
#if SCAN_BLOCKS
    u64 a = scan_mask(scan_is_control(scan_load(p)));
    u64 b = scan_mask(scan_is_control(scan_load(p + 16)));
    u64 c = scan_mask(scan_is_control(scan_load(p + 32)));
    u64 d = scan_mask(scan_is_control(scan_load(p + 48)));
    return (a | b << 16 | c << 32 | d << 48) >> shift;
#else
    u64 bits = 0;
    for (unsigned i = 0; i < SCAN_STEP; i++)
        bits |= (u64)char_is(p[i], CHAR_CONTROL) << i;
    return bits >> shift;
#endif
}

/* The first byte in [p, end) with the property, or end. From `base` on may be read. */
#if SCAN_BLOCKS
#define SCAN_FOR(name, vector, scalar)                                                             \
    static inline const char *name(const char *base, const char *p, const char *end)               \
    {                                                                                              \
        for (; end - p >= 16; p += 16) {                                                           \
            u32 m = scan_mask(vector(scan_load(p)));                                               \
            if (m)                                                                                 \
                return p + __builtin_ctz(m);                                                       \
        }                                                                                          \
        if (likely(end - base >= 16)) {                                                            \
            u32 m = scan_mask(vector(scan_load(end - 16))) >> (16 - (end - p));                    \
            return m ? p + __builtin_ctz(m) : end;                                                 \
        }                                                                                          \
        while (p < end && !(scalar))                                                               \
            p++;                                                                                   \
        return p;                                                                                  \
    }
#else
#define SCAN_FOR(name, vector, scalar)                                                             \
    static inline const char *name(const char *base, const char *p, const char *end)               \
    {                                                                                              \
        (void)base;                                                                                \
        while (p < end && !(scalar))                                                               \
            p++;                                                                                   \
        return p;                                                                                  \
    }
#endif

/* What ends a target, or makes it one that has to be looked at closely: http/target.c. */
SCAN_FOR(scan_odd, scan_is_odd, !char_is(*p, CHAR_URI) || *p == '@')

/* The end of an authority in a target. */
#if SCAN_BLOCKS
static inline __m128i scan_begins_path(__m128i x)
{
    return _mm_or_si128(scan_same(x, '/'), scan_same(x, '?'));
}
#endif
SCAN_FOR(scan_path, scan_begins_path, *p == '/' || *p == '?')

/* The n bytes of a host's name at p, 16 to 64 or, of a short one, 8 to 15, in lower case to `to`.
 * *dots: one bit per '.'. False: there is a byte that is neither a dot nor CHAR_HOST. The last
 * block overlaps the one before. */
#if SCAN_BLOCKS
static inline bool scan_name(char *to, const char *p, size_t n, u64 *dots)
{
    u32 dot, other, bad = 0;
    *dots = 0;
    for (size_t at = 0;; at = n - at >= 32 ? at + 16 : n - 16) {
        __m128i lower = scan_host(scan_load(p + at), &dot, &other);
        _mm_storeu_si128((__m128i *)(void *)(to + at), lower);
        *dots |= (u64)dot << at;
        bad |= other;
        if (at == n - 16)
            return bad == 0;
    }
}

static inline bool scan_short_name(char *to, const char *p, size_t n, u64 *dots)
{
    u32 dot, other;
    __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)p);
    __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(p + n - 8));
    __m128i lower = scan_host(_mm_unpacklo_epi64(first, last), &dot, &other);
    _mm_storel_epi64((__m128i *)(void *)to, lower);
    _mm_storel_epi64((__m128i *)(void *)(to + n - 8), _mm_unpackhi_epi64(lower, lower));
    *dots = (dot & 0xff) | (u64)(dot >> 8) << (n - 8);
    return other == 0;
}
#endif

/* The first colon in [p, stop), or stop. All of [base, end) may be read: most names fit in 16
 * bytes, so those are looked at without asking how long the line is. */
static inline const char *scan_colon(const char *base, const char *p, const char *stop,
                                     const char *end)
{
#if SCAN_BLOCKS
    for (; likely(end - base >= 16) && p < stop; p += 16) {
        u32 m = likely(end - p >= 16)
                    ? scan_mask(scan_same(scan_load(p), ':'))
                    : scan_mask(scan_same(scan_load(end - 16), ':')) >> (16 - (end - p));
        if (likely(m)) {
            p += __builtin_ctz(m);
            return p < stop ? p : stop;
        }
    }
#endif
    (void)base;
    (void)end;
    while (p < stop && *p != ':')
        p++;
    return p < stop ? p : stop;
}

#endif
