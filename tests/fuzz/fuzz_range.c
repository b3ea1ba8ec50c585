/* The ranges that are sent cover exactly the bytes that were asked for, and none of them twice. */
#include "http_fuzz.h"

#include "base/str.h"
#include "cache/manifest.h"

enum { LENGTH_MOST = 400, HUGE = 1000000 };

/* Digits at s, as a number no greater than HUGE; -1: none. */
static long number(struct slice *s)
{
    long v = -1;
    while (s->n && ascii_digit(s->p[0])) {
        v = (v < 0 ? 0 : v) * 10 + (s->p[0] - '0');
        v = v > HUGE ? HUGE : v;
        *s = slice_skip(*s, 1);
    }
    return v;
}

/* One range, marked in `asked`; false: malformed. */
static bool mark(struct slice s, long length, bool asked[LENGTH_MOST])
{
    long from = number(&s);
    if (s.n == 0 || s.p[0] != '-')
        return false;
    s = slice_skip(s, 1);
    long to = number(&s);
    if (s.n || (from < 0 && to < 0) || (from < 0 && length == 0 && to > 0))
        return false;
    if (from >= 0 && to >= 0 && to < from)
        return false;
    for (long i = 0; i < length; i++)
        if (from < 0 ? i >= length - to : i >= from && (to < 0 || i <= to))
            asked[i] = true;
    return true;
}

static enum ranges expected(struct slice value, long length, bool asked[LENGTH_MOST])
{
    unsigned n = 0;
    if (value.n < 6 || !slice_eq_nocase((struct slice){ value.p, 6 }, SLICE("bytes=")))
        return RANGES_WHOLE;
    value = slice_skip(value, 6);
    for (size_t i = 0, from = 0; i <= value.n; i++) {
        if (i < value.n && value.p[i] != ',')
            continue;
        struct slice one = slice_trim((struct slice){ value.p + from, i - from });
        from = i + 1;
        if (one.n && (!mark(one, length, asked) || ++n > RANGES_MOST))
            return RANGES_WHOLE;
    }
    for (long i = 0; i < length; i++)
        if (asked[i])
            return RANGES_SOME;
    return n ? RANGES_NONE : RANGES_WHOLE;
}

static void check_small(struct slice value, u64 length)
{
    bool asked[LENGTH_MOST] = { false };
    struct byte_range r[RANGES_MOST];
    unsigned n;
    u64 sum = 0;
    enum ranges want = expected(value, (long)length, asked);
    CHECK(ranges_read(value, length, r, &n) == want);
    CHECK((want == RANGES_SOME) == (n > 0) && n <= RANGES_MOST);
    for (unsigned i = 0; i < n; i++) {
        CHECK(r[i].from <= r[i].to && r[i].to < length);
        for (u64 k = r[i].from; k <= r[i].to; k++, sum++) {
            CHECK(asked[k]);
            asked[k] = false; /* and never again */
        }
        CHECK(r[i].from == 0 || !asked[r[i].from - 1]);
    }
    CHECK(sum == ranges_sum(r, n));
    for (u64 i = 0; n && i < length; i++)
        CHECK(!asked[i]);
}

static void check_large(struct slice value, u64 length)
{
    struct byte_range r[RANGES_MOST];
    unsigned n;
    ranges_read(value, length, r, &n);
    for (unsigned i = 0; i < n; i++) {
        CHECK(r[i].from <= r[i].to && r[i].to < length);
        for (unsigned k = 0; k < i; k++) /* apart, with at least one byte between them */
            CHECK(r[k].to + 1 < r[i].from || r[i].to + 1 < r[k].from);
    }
    if (n && length <= UINT64_MAX / 2)
        CHECK(ranges_length(SLICE("a/b"), r, n, length) > ranges_sum(r, n));
}

/* More than six digits are cut off at HUGE here, so the order of two such numbers is not known. */
static bool has_long_number(struct slice s)
{
    size_t run = 0;
    for (size_t i = 0; i < s.n; i++) {
        run = ascii_digit(s.p[i]) ? run + 1 : 0;
        if (run > 6)
            return true;
    }
    return false;
}

/* What is read is what is written, but for leading zeros and the case of the unit. */
static void check_content_range(struct slice value)
{
    struct byte_range r;
    u64 length;
    char area[80];
    struct text t = text_in(area, sizeof area);
    if (!content_range_read(value, &r, &length))
        return;
    CHECK(r.from <= r.to && r.to < length);
    range_write(&t, &r, length);
    CHECK(!t.full && t.n <= value.n);
    CHECK(t.n != value.n || slice_eq_nocase(text_slice(&t), value));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    char *p = exact_copy(data + 2, size - 2);
    struct slice value = { p, size - 2 };
    u64 length = (data[0] * 256u + data[1]) % LENGTH_MOST;
    if (!has_long_number(value))
        check_small(value, length);
    check_large(value, length << (data[0] & 31));
    check_large(value, UINT64_MAX - 1 - length);
    check_content_range(value);
    free(p);
    return 0;
}
