#include "moment.h"

#include <time.h>

#include "base/str.h"
#include "policy/explain.h"

static bool number(struct slice *s, unsigned digits, int *out)
{
    *out = 0;
    if (s->n < digits)
        return false;
    for (unsigned i = 0; i < digits; i++) {
        if (!ascii_digit(s->p[i]))
            return false;
        *out = *out * 10 + (s->p[i] - '0');
    }
    *s = slice_skip(*s, digits);
    return true;
}

static bool one_of(struct slice *s, const char *chars)
{
    if (s->n == 0 || strchr(chars, s->p[0]) == NULL)
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

static void skip_fraction(struct slice *s)
{
    if (!one_of(s, "."))
        return;
    while (s->n && ascii_digit(s->p[0]))
        *s = slice_skip(*s, 1);
}

bool moment_parse(struct slice text, i64 *seconds, bool *utc)
{
    struct tm t = { 0 };
    if (!number(&text, 4, &t.tm_year) || !one_of(&text, "-") || !number(&text, 2, &t.tm_mon) ||
        !one_of(&text, "-") || !number(&text, 2, &t.tm_mday) || !one_of(&text, " T") ||
        !number(&text, 2, &t.tm_hour) || !one_of(&text, ":") || !number(&text, 2, &t.tm_min))
        return false;
    if (one_of(&text, ":")) {
        if (!number(&text, 2, &t.tm_sec))
            return false;
        skip_fraction(&text);
    }
    *utc = one_of(&text, "Z");
    struct tm asked = t;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    *seconds = timegm(&t); /* it mends the 31st of June: then it was no date */
    return text.n == 0 && asked.tm_year >= 1970 && t.tm_mday == asked.tm_mday &&
           t.tm_mon == asked.tm_mon - 1 && t.tm_hour == asked.tm_hour && t.tm_min == asked.tm_min &&
           t.tm_sec == asked.tm_sec;
}

bool moment_read(struct slice text, const struct policy *p, u64 *seconds)
{
    i64 s;
    bool utc;
    if (!moment_parse(text, &s, &utc))
        return false;
    *seconds = utc ? (u64)s : policy_moment(p, s);
    return true;
}
