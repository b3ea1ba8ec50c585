/*
 * A table of moments with the offset that begins at each, and behind it a rule for all years to
 * come. The hard thing is the rule ("CET-1CEST,M3.5.0,M10.5.0/3"): files hold few moments of the
 * future or none.
 */
#include "policy/zone.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"

enum { FILE_MOST = 256 << 10, HEADER = 44, DAY = 86400 };

struct change { /* of the rule, in local time: M month.week.day, or J, or a number */
    char kind;  /* 'M', 'J', 'N'; 0: none */
    int month, week, day;
    i64 time; /* seconds after midnight */
};

struct zone {
    u32 n;
    const i64 *at;
    const i64 *offset; /* from at[i] on */
    i64 first;         /* before at[0] */
    bool ruled;
    i64 standard, summer; /* offsets of the rule */
    struct change begins, ends;
};

/* ---- the rule ---- */

static bool number(struct slice *s, int most, int *out)
{
    int v = 0;
    size_t i = 0;
    for (; i < s->n && ascii_digit(s->p[i]) && v <= most; i++)
        v = v * 10 + (s->p[i] - '0');
    *s = slice_skip(*s, i);
    *out = v;
    return i > 0 && v <= most;
}

static bool take(struct slice *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

/* [+-]HH[:MM[:SS]] */
static bool duration(struct slice *s, i64 *out)
{
    int part[3] = { 0, 0, 0 };
    bool minus = take(s, '-');
    if (!minus)
        (void)take(s, '+');
    if (!number(s, 167, &part[0]))
        return false;
    for (int i = 1; i < 3 && take(s, ':'); i++)
        if (!number(s, 59, &part[i]))
            return false;
    *out = (i64)part[0] * 3600 + part[1] * 60 + part[2];
    *out = minus ? -*out : *out;
    return true;
}

static bool name(struct slice *s)
{
    size_t i = 0;
    if (take(s, '<')) {
        while (i < s->n && s->p[i] != '>')
            i++;
        *s = slice_skip(*s, i);
        return take(s, '>');
    }
    while (i < s->n && ascii_alpha(s->p[i]))
        i++;
    *s = slice_skip(*s, i);
    return i >= 3;
}

static bool change(struct slice *s, struct change *c)
{
    *c = (struct change){ .time = 2 * 3600 };
    bool ok;
    if (take(s, 'M')) {
        c->kind = 'M';
        ok = number(s, 12, &c->month) && c->month > 0 && take(s, '.') && number(s, 5, &c->week) &&
             c->week > 0 && take(s, '.') && number(s, 6, &c->day);
    } else {
        c->kind = take(s, 'J') ? 'J' : 'N';
        ok = number(s, 365, &c->day);
    }
    return ok && (!take(s, '/') || duration(s, &c->time));
}

static bool rule(struct slice s, struct zone *z)
{
    i64 west;
    if (!name(&s) || !duration(&s, &west))
        return false;
    z->standard = -west;
    z->summer = z->standard + 3600;
    if (s.n) {
        if (!name(&s))
            return false;
        if (s.n && s.p[0] != ',') {
            if (!duration(&s, &west))
                return false;
            z->summer = -west;
        }
        if (!take(&s, ',') || !change(&s, &z->begins) || !take(&s, ',') || !change(&s, &z->ends))
            return false;
    }
    z->ruled = s.n == 0;
    return z->ruled;
}

/* ---- days ---- */

static i64 floor_div(i64 a, i64 b)
{
    return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to a date, and the year of a day; years begin in March within. */
static i64 days_to(i64 year, int month, int day)
{
    i64 y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
    i64 of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static i64 year_of(i64 days)
{
    i64 year = 1970 + floor_div(days, 366);
    while (days_to(year + 1, 1, 1) <= days)
        year++;
    return year;
}

/* 0: Monday */
static int weekday(i64 days)
{
    i64 d = (days + 3) % 7;
    return (int)(d < 0 ? d + 7 : d);
}

static bool leaps(i64 year)
{
    return days_to(year + 1, 1, 1) - days_to(year, 1, 1) == 366;
}

/* The moment in that year, in local seconds. */
static i64 change_in(const struct change *c, i64 year)
{
    i64 day;
    if (c->kind == 'M') {
        i64 first = days_to(year, c->month, 1);
        i64 next = c->month == 12 ? days_to(year + 1, 1, 1) : days_to(year, c->month + 1, 1);
        int want = (c->day + 6) % 7; /* from 0: Sunday */
        day = first + (want - weekday(first) + 7) % 7 + 7 * (c->week - 1);
        while (day >= next)
            day -= 7;
    } else if (c->kind == 'J') { /* 29 February is never counted */
        day = days_to(year, 1, 1) + c->day - 1 + (leaps(year) && c->day >= 60);
    } else {
        day = days_to(year, 1, 1) + c->day;
    }
    return day * DAY + c->time;
}

static i64 offset_by_rule(const struct zone *z, i64 t)
{
    if (z->begins.kind == 0)
        return z->standard;
    i64 year = year_of(floor_div(t + z->standard, DAY));
    i64 begins = change_in(&z->begins, year) - z->standard;
    i64 ends = change_in(&z->ends, year) - z->summer;
    bool summer = begins < ends ? t >= begins && t < ends : t >= begins || t < ends;
    return summer ? z->summer : z->standard;
}

/* ---- files ---- */

static i64 big(const char *p, unsigned n)
{
    u64 v = (u8)p[0] & 0x80 ? ~(u64)0 : 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | (u8)p[i];
    return (i64)v;
}

struct counts {
    u64 ut, std, leap, time, type, chars;
};

static bool header(struct slice s, struct counts *c)
{
    u64 v[6];
    if (s.n < HEADER || !slice_starts(s, SLICE("TZif")) || s.p[4] < '2')
        return false;
    for (unsigned i = 0; i < 6; i++) {
        v[i] = (u64)big(s.p + 20 + (size_t)4 * i, 4);
        if (v[i] > FILE_MOST)
            return false;
    }
    *c = (struct counts){ v[0], v[1], v[2], v[3], v[4], v[5] };
    return true;
}

static size_t block(const struct counts *c, size_t moment)
{
    return c->time * (moment + 1) + c->type * 6 + c->chars + c->leap * (moment + 4) + c->std +
           c->ut;
}

const struct zone *zone_parse(struct arena *a, struct slice file)
{
    struct counts c;
    if (!header(file, &c) || file.n < HEADER + block(&c, 4))
        return NULL;
    file = slice_skip(file, HEADER + block(&c, 4)); /* of 32 bits, for older readers */
    if (!header(file, &c) || file.n < HEADER + block(&c, 8) + 2 || c.type == 0)
        return NULL;
    const char *at = file.p + HEADER, *index = at + c.time * 8, *type = index + c.time;
    struct zone *z = arena_zalloc(a, sizeof *z);
    i64 *moments = arena_alloc(a, c.time * sizeof *moments);
    i64 *offsets = arena_alloc(a, c.time * sizeof *offsets);
    for (u64 i = 0; i < c.time; i++) {
        if ((u8)index[i] >= c.type)
            return NULL;
        moments[i] = big(at + 8 * i, 8);
        offsets[i] = big(type + (size_t)6 * (u8)index[i], 4);
    }
    z->n = (u32)c.time;
    z->at = moments;
    z->offset = offsets;
    z->first = big(type, 4);
    struct slice footer = slice_skip(file, HEADER + block(&c, 8)), text;
    if (!take(&footer, '\n') || !slice_find(footer, '\n') || !slice_cut(&footer, '\n', &text) ||
        (text.n && !rule(text, z)))
        return NULL;
    return z;
}

static const struct zone *from_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return NULL;
    char *area = malloc(FILE_MOST);
    must(area != NULL);
    size_t n = fread(area, 1, FILE_MOST, f);
    fclose(f);
    const struct zone *z = zone_parse(a, (struct slice){ area, n });
    free(area);
    return z;
}

static const struct zone *by_name(struct arena *a, struct slice name)
{
    char path[256];
    for (size_t i = 0; i < name.n; i++) /* it stays in the folder */
        if (!ascii_alnum(name.p[i]) && !strchr("/_+-", name.p[i]))
            return NULL;
    if (name.n == 0 || name.n > 100 || name.p[0] == '/')
        return NULL;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", SLICE_FMT(name));
    return from_file(a, path);
}

static const struct zone *of_system(struct arena *a)
{
    struct zone *utc = arena_zalloc(a, sizeof *utc);
    const struct zone *z = NULL;
    struct slice tz = slice_of(getenv("TZ"));
    (void)take(&tz, ':');
    if (tz.n && tz.p[0] == '/')
        z = from_file(a, tz.p);
    else if (tz.n && (z = by_name(a, tz)) == NULL && rule(tz, utc))
        z = utc;
    else if (tz.p == NULL)
        z = from_file(a, "/etc/localtime");
    return z ? z : utc;
}

const struct zone *zone_load(struct arena *a, struct slice name)
{
    return name.n ? by_name(a, name) : of_system(a);
}

i64 zone_offset(const struct zone *z, u64 seconds)
{
    i64 t = (i64)seconds, offset = z->first;
    u32 low = 0, high = z->n; /* how many moments are not after t */
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (z->at[middle] <= t)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->n && z->ruled)
        offset = offset_by_rule(z, t);
    else if (low > 0)
        offset = z->offset[low - 1];
    return offset;
}

struct zone_time zone_local(const struct zone *z, u64 seconds)
{
    i64 t = (i64)seconds, offset = zone_offset(z, seconds);
    i64 day = floor_div(t + offset, DAY);
    return (struct zone_time){ (u8)weekday(day), (u16)((t + offset - day * DAY) / 60) };
}
