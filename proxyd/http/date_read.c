/*
 * The three date formats that are read. A cursor goes over the text, and whatever does not fit puts
 * it out of the text for good, so that each format is one line of steps and one check at the end.
 */
#include "http/date.h"

#include "base/str.h"
#include "base/types.h"

struct cursor {
    struct slice rest;
    bool bad;
};

struct moment {
    unsigned year, month, day, hour, minute, second; /* month from 0 on */
};

/* Three letters in one number; small and capital ones differ in one bit, which only they have. */
#define NAME(a, b, c) ((u32)(a) << 16 | (u32)(b) << 8 | (u32)(c))

static const u32 day_names[] = {
    NAME('s', 'u', 'n'), NAME('m', 'o', 'n'), NAME('t', 'u', 'e'), NAME('w', 'e', 'd'),
    NAME('t', 'h', 'u'), NAME('f', 'r', 'i'), NAME('s', 'a', 't'),
};
static const u32 month_names[] = {
    NAME('j', 'a', 'n'), NAME('f', 'e', 'b'), NAME('m', 'a', 'r'), NAME('a', 'p', 'r'),
    NAME('m', 'a', 'y'), NAME('j', 'u', 'n'), NAME('j', 'u', 'l'), NAME('a', 'u', 'g'),
    NAME('s', 'e', 'p'), NAME('o', 'c', 't'), NAME('n', 'o', 'v'), NAME('d', 'e', 'c'),
};

/* `want` in small letters. */
static void literal(struct cursor *c, const char *want)
{
    size_t n = 0;
    while (n < c->rest.n && want[n] && ascii_lower(c->rest.p[n]) == want[n])
        n++;
    c->bad |= want[n] != '\0';
    c->rest = slice_skip(c->rest, n);
}

static unsigned digits(struct cursor *c, unsigned n)
{
    unsigned v = 0;
    if (c->bad || c->rest.n < n) {
        c->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        c->bad |= !ascii_digit(c->rest.p[i]);
        v = v * 10 + (unsigned)(c->rest.p[i] - '0');
    }
    c->rest = slice_skip(c->rest, n);
    return c->bad ? 0 : v;
}

/* Which of `count` names of three letters comes next. */
static unsigned name(struct cursor *c, const u32 *names, unsigned count)
{
    if (c->rest.n >= 3) {
        const u8 *p = (const u8 *)c->rest.p;
        u32 got = NAME(p[0] | 0x20, p[1] | 0x20, p[2] | 0x20);
        c->rest = slice_skip(c->rest, 3);
        for (unsigned i = 0; i < count; i++)
            if (got == names[i])
                return i;
    }
    c->bad = true;
    return 0;
}

static void clock_time(struct cursor *c, struct moment *m)
{
    m->hour = digits(c, 2);
    literal(c, ":");
    m->minute = digits(c, 2);
    literal(c, ":");
    m->second = digits(c, 2);
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const u8 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 1 && leap);
}

/* Days from 1970-01-01 on. Years begin in March here, so that the leap day is the last day. */
static i64 days_of(unsigned year, unsigned month, unsigned day)
{
    i64 y = (i64)year - (month < 2) + 400; /* never negative; 400 years are 146097 days */
    i64 of_year = (153 * ((i64)(month + 10) % 12) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + of_year - 719468 - 146097;
}

static i64 seconds_of(const struct moment *m)
{
    i64 of_day = (i64)m->hour * 3600 + (i64)m->minute * 60 + m->second;
    return days_of(m->year, m->month, m->day) * 86400 + of_day;
}

static bool moment_read(const struct cursor *c, const struct moment *m, time_t *t)
{
    if (c->bad || c->rest.n || m->day < 1 || m->day > month_days(m->year, m->month) ||
        m->hour > 23 || m->minute > 59 || m->second > 60)
        return false;
    *t = (time_t)seconds_of(m);
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_imf(struct cursor c, time_t *t)
{
    struct moment m;
    name(&c, day_names, 7);
    literal(&c, ", ");
    m.day = digits(&c, 2);
    literal(&c, " ");
    m.month = name(&c, month_names, 12);
    literal(&c, " ");
    m.year = digits(&c, 4);
    literal(&c, " ");
    clock_time(&c, &m);
    literal(&c, " gmt");
    return moment_read(&c, &m, t);
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(struct cursor c, time_t *t)
{
    struct moment m;
    name(&c, day_names, 7);
    literal(&c, " ");
    m.month = name(&c, month_names, 12);
    literal(&c, " ");
    bool one = c.rest.n && c.rest.p[0] == ' ';
    if (one)
        literal(&c, " ");
    m.day = digits(&c, one ? 1 : 2);
    literal(&c, " ");
    clock_time(&c, &m);
    literal(&c, " ");
    m.year = digits(&c, 4);
    return moment_read(&c, &m, t);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool read_rfc850(struct cursor c, time_t now, time_t *t)
{
    static const char *const rest_of_day[] = { "day",   "day", "sday", "nesday",
                                               "rsday", "day", "urday" };
    const time_t fifty_years = 18262 * (time_t)86400;
    struct moment m;
    literal(&c, rest_of_day[name(&c, day_names, 7)]);
    literal(&c, ", ");
    m.day = digits(&c, 2);
    literal(&c, "-");
    m.month = name(&c, month_names, 12);
    literal(&c, "-");
    m.year = 2000 + digits(&c, 2);
    literal(&c, " ");
    clock_time(&c, &m);
    literal(&c, " gmt");
    /* The latest century that is not more than 50 years ahead. The 29th of February is no day of
     * 1900, so the century comes before the check of the day. */
    const time_t latest = now + fifty_years;
    for (m.year += 7900; m.year >= 100 && seconds_of(&m) > latest;)
        m.year -= 100;
    return moment_read(&c, &m, t);
}

bool date_read(struct slice text, time_t now, time_t *t)
{
    struct cursor c = { text, false };
    if (text.n < 4)
        return false;
    if (text.p[3] == ',')
        return read_imf(c, t);
    return text.p[3] == ' ' ? read_asctime(c, t) : read_rfc850(c, now, t);
}
