/* Ranges are few, so each new one is held against all before it until none touches it. */
#include "cache/range.h"

#include "base/must.h"
#include "base/str.h"
#include "http/msg.h"

enum { PART_MOST = 128 }; /* bytes before a part, without its type */

/* A number too large for 64 bits lies behind the end of everything. False: no digit. */
static bool position_read(struct slice *s, u64 *out)
{
    u64 v = 0;
    size_t i = 0;
    for (; i < s->n && ascii_digit(s->p[i]); i++) {
        u64 digit = (u64)(s->p[i] - '0');
        v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
    }
    *s = slice_skip(*s, i);
    *out = v;
    return i > 0;
}

enum one { ONE_BAD, ONE_OUTSIDE, ONE_WITHIN };

/* "0-499", "500-" or "-500". */
static enum one range_read(struct slice s, u64 length, struct byte_range *r)
{
    bool first = position_read(&s, &r->from);
    if (s.n == 0 || s.p[0] != '-')
        return ONE_BAD;
    s = slice_skip(s, 1);
    bool last = position_read(&s, &r->to);
    if (s.n || (!first && !last) || (first && last && r->to < r->from))
        return ONE_BAD;
    if (!first) {
        if (length == 0 && r->to) /* all of nothing: no Content-Range can say that */
            return ONE_BAD;
        u64 tail = r->to < length ? r->to : length;
        r->from = length - tail;
        r->to = length - 1;
        return tail ? ONE_WITHIN : ONE_OUTSIDE;
    }
    if (r->from >= length)
        return ONE_OUTSIDE;
    if (!last || r->to >= length)
        r->to = length - 1;
    return ONE_WITHIN;
}

static bool touch(const struct byte_range *a, const struct byte_range *b)
{
    return a->from <= b->to + 1 && b->from <= a->to + 1; /* `to` is less than a length */
}

/* The first one that r touches takes it in and is tried anew, until there is none. */
static void add(struct byte_range out[], unsigned *n, struct byte_range r)
{
    unsigned place = *n;
    for (unsigned i = 0; i < *n;) {
        if (i == place || !touch(&out[i], &r)) {
            i++;
            continue;
        }
        r.from = out[i].from < r.from ? out[i].from : r.from;
        r.to = out[i].to > r.to ? out[i].to : r.to;
        if (place == *n) {
            place = i;
        } else { /* two that were apart are joined by r: the later place goes */
            unsigned gone = i > place ? i : place;
            place = i < place ? i : place;
            memmove(out + gone, out + gone + 1, (*n - gone - 1) * sizeof *out);
            --*n;
        }
        out[place] = r;
        i = 0;
    }
    if (place == *n)
        ++*n;
    out[place] = r;
}

enum ranges ranges_read(struct slice value, u64 length, struct byte_range out[RANGES_MOST],
                        unsigned *n)
{
    struct slice item;
    unsigned asked = 0;
    *n = 0;
    if (value.n < 6 || !slice_eq_nocase((struct slice){ value.p, 6 }, SLICE("bytes=")))
        return RANGES_WHOLE;
    value = slice_skip(value, 6);
    while (list_next(&value, &item)) {
        struct byte_range r;
        enum one one = range_read(item, length, &r);
        if (one == ONE_BAD || ++asked > RANGES_MOST) {
            *n = 0;
            return RANGES_WHOLE;
        }
        if (one == ONE_WITHIN)
            add(out, n, r);
    }
    if (asked == 0)
        return RANGES_WHOLE;
    return *n ? RANGES_SOME : RANGES_NONE;
}

u64 ranges_sum(const struct byte_range r[], unsigned n)
{
    u64 sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += r[i].to - r[i].from + 1;
    return sum;
}

void range_write(struct text *t, const struct byte_range *r, u64 length)
{
    text_lit(t, "bytes ");
    if (r) {
        text_u64(t, r->from);
        text_char(t, '-');
        text_u64(t, r->to);
    } else {
        text_char(t, '*');
    }
    text_char(t, '/');
    text_u64(t, length);
}

void ranges_part(struct text *t, const char boundary[RANGE_BOUNDARY], struct slice type,
                 const struct byte_range r[], unsigned n, unsigned i, u64 length)
{
    text_cstr(t, i ? "\r\n--" : "--");
    text_put(t, boundary, RANGE_BOUNDARY);
    if (i == n) {
        text_lit(t, "--\r\n");
        return;
    }
    text_lit(t, "\r\n");
    if (type.n) {
        text_lit(t, "Content-Type: ");
        text_add(t, type);
        text_lit(t, "\r\n");
    }
    text_lit(t, "Content-Range: ");
    range_write(t, &r[i], length);
    text_lit(t, "\r\n\r\n");
}

u64 ranges_length(struct slice type, const struct byte_range r[], unsigned n, u64 length)
{
    char area[PART_MOST];
    u64 sum = ranges_sum(r, n);
    for (unsigned i = 0; i <= n; i++) {
        struct text t = text_in(area, sizeof area);
        ranges_part(&t, "0123456789abcdef", (struct slice){ NULL, 0 }, r, n, i, length);
        must(!t.full);
        sum += t.n + (i < n && type.n ? sizeof "Content-Type: \r\n" - 1 + type.n : 0);
    }
    return sum;
}
