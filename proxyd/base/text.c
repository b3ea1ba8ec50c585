#include "base/text.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/str.h"

void text_cstr(struct text *t, const char *s)
{
    text_add(t, slice_of(s));
}

static const char PAIRS[200] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

enum { DIGITS_MOST = 20 };

static inline u32 pair_of(u32 v)
{
    u16 pair;
    memcpy(&pair, PAIRS + v * 2, sizeof pair);
    return le16toh(pair);
}

static inline u32 four_of(u32 v)
{
    return pair_of(v / 100) | pair_of(v % 100) << 16;
}

/* Where there may be no room for all of it. */
__attribute__((noinline)) static void put_at_the_end(struct text *t, u64 v)
{
    char d[DIGITS_MOST];
    unsigned i = DIGITS_MOST;
    do
        d[--i] = (char)('0' + v % 10);
    while (v /= 10);
    text_put(t, d + i, DIGITS_MOST - i);
}

__attribute__((noinline)) static void put_large(struct text *t, u64 v)
{
    if (unlikely(t->cap - t->n < DIGITS_MOST)) {
        put_at_the_end(t, v);
        return;
    }
    text_u64(t, v / 10000);
    u32 last = htole32(four_of((u32)(v % 10000)));
    memcpy(t->p + t->n, &last, sizeof last);
    t->n += sizeof last;
}

/* Lengths, ports and addresses are most of what a head gets written anew, and of a log line. Four
 * digits at a time are put together in a register and written at once, what is too much of them is
 * overwritten by what follows; an array of digits would have a canary checked, and reading at once
 * what was written in pieces takes the processor 15 ns. */
void text_u64(struct text *t, u64 v)
{
    if (unlikely(v >= 10000 || t->cap - t->n < sizeof(u32))) {
        put_large(t, v);
        return;
    }
    u32 small = (u32)v, n = 1u + (small >= 10) + (small >= 100) + (small >= 1000);
    u32 digits = htole32(four_of(small) >> (8 * (sizeof(u32) - n)));
    memcpy(t->p + t->n, &digits, sizeof digits);
    t->n += n;
}

void text_hex(struct text *t, u64 v)
{
    char d[16];
    size_t i = sizeof d;
    do
        d[--i] = "0123456789abcdef"[v & 15];
    while (v >>= 4);
    text_put(t, d + i, sizeof d - i);
}

void text_pad(struct text *t, u64 v, unsigned width)
{
    char d[20];
    if (width > sizeof d)
        width = sizeof d;
    unsigned i = width;
    for (; i >= 2; v /= 100)
        memcpy(d + (i -= 2), PAIRS + v % 100 * 2, 2);
    if (i)
        d[0] = (char)('0' + v % 10);
    text_put(t, d, width);
}

void text_fmt(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t room = t->cap - t->n;
    int n = room ? vsnprintf(t->p + t->n, room, fmt, ap) : 0;
    va_end(ap);
    if (n < 0 || (size_t)n >= room) { /* vsnprintf wants a byte for its NUL */
        t->full = true;
        n = room ? (int)room - 1 : 0;
    }
    t->n += (size_t)n;
}

static inline bool is_plain(u8 c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Length of the run at p that needs no escape. Log lines are made of such runs: 16 bytes at a time
 * they cost a third of what single bytes do, and the rest half in two overlapping halves of it. */
#ifdef __SSE2__
static inline unsigned not_plain16(__m128i c)
{
    /* signed compares: bytes from 0x80 are below 0x1f */
    __m128i fine = _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8(0x1f)),
                                 _mm_cmplt_epi8(c, _mm_set1_epi8(0x7f)));
    __m128i bad =
        _mm_or_si128(_mm_cmpeq_epi8(c, _mm_set1_epi8('"')), _mm_cmpeq_epi8(c, _mm_set1_epi8('\\')));
    return ~(unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, fine)) & 0xffff;
}
#endif

static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
#ifdef __SSE2__
    unsigned bad;
    for (; i + 16 <= n; i += 16)
        if ((bad = not_plain16(_mm_loadu_si128((const __m128i *)(const void *)(p + i)))) != 0)
            return i + (unsigned)__builtin_ctz(bad);
    if (n >= 16 && i < n) { /* what is left, behind bytes seen already */
        bad = not_plain16(_mm_loadu_si128((const __m128i *)(const void *)(p + n - 16)));
        return bad ? n - 16 + (unsigned)__builtin_ctz(bad) : n;
    }
    if (n >= 8 && i < n) {
        __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)p);
        __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(p + n - 8));
        bad = not_plain16(_mm_unpacklo_epi64(first, last));
        if (bad == 0)
            return n;
    }
#endif
    while (i < n && is_plain((u8)p[i]))
        i++;
    return i;
}

static void put_escape(struct text *t, u8 c)
{
    char x[4] = { '\\', 'x', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15] };
    text_put(t, x, sizeof x);
}

void text_escaped(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        size_t run = plain_run(s.p + i, s.n - i);
        text_put(t, s.p + i, run);
        i += run;
        if (i < s.n)
            put_escape(t, (u8)s.p[i++]);
    }
}

/* Ends a line, steers a terminal or the direction of writing, or shows nothing at all. */
static bool is_unseen(u32 c)
{
    static const struct {
        u32 first, last;
    } ranges[] = { { 0x80, 0x9f },     { 0x61c, 0x61c },   { 0x180e, 0x180e },
                   { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
                   { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f } };
    for (unsigned i = 0; i < countof(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

void text_json(struct text *t, struct slice s)
{
    text_char(t, '"');
    for (size_t i = 0; i < s.n;) {
        struct slice rest = slice_skip(s, i);
        size_t n = plain_run(rest.p, rest.n);
        u32 point = (u8)*rest.p;
        text_put(t, rest.p, n);
        i += n;
        if (n)
            continue;
        n = point < 0x80 ? 1 : utf8_first(rest, &point);
        if (n == 0) {
            text_lit(t, "\xef\xbf\xbd");
        } else if (point == '"' || point == '\\') {
            text_char(t, '\\');
            text_char(t, (char)point);
        } else if (point < 0xa0 || (is_unseen(point) && point < 0x10000)) {
            text_lit(t, "\\u");
            for (int shift = 12; shift >= 0; shift -= 4)
                text_char(t, "0123456789abcdef"[point >> shift & 15]);
        } else {
            text_put(t, rest.p, n);
        }
        i += n ? n : 1;
    }
    text_char(t, '"');
}

void text_percent(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        u8 c = (u8)s.p[i];
        if (c > ' ' && is_plain(c) && c != '<' && c != '>') {
            text_char(t, (char)c);
            continue;
        }
        char x[3] = { '%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15] };
        text_put(t, x, sizeof x);
    }
}

/* Length of the character at s, which begins beyond ASCII; 0: not one to be shown. */
static size_t shown_character(struct slice s)
{
    u8 first = (u8)s.p[0];
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || s.n < n || !utf8_valid((struct slice){ s.p, n }, NULL))
        return 0;
    u32 c = first & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((u8)s.p[i] & 0x3f);
    return is_unseen(c) ? 0 : n;
}

void text_escaped_utf8(struct text *t, struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        struct slice rest = slice_skip(s, i);
        size_t run = plain_run(rest.p, rest.n);
        if (run == 0)
            run = shown_character(rest);
        text_put(t, rest.p, run);
        i += run;
        if (run == 0)
            put_escape(t, (u8)s.p[i++]);
    }
}
