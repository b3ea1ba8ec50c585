/* How old a response is, how long it is fresh, and what may be done with it when. What may be kept
 * at all is kept.c. */
#include "cache/freshness.h"

#include "base/str.h"
#include "cache/kept.h"
#include "http/date.h"

static u32 bounded(i64 seconds)
{
    if (seconds < 0)
        return 0;
    return seconds > (i64)CONTROL_SECONDS_MOST ? (u32)CONTROL_SECONDS_MOST : (u32)seconds;
}

/* Its first value counts (RFC 9111 section 5.1), and only if it is a number. */
static u32 age_value(const struct msg *response)
{
    struct slice value = msg_get(response, TOKEN_AGE), first;
    u64 v = 0;
    if (!list_next(&value, &first))
        return 0;
    for (size_t i = 0; i < first.n; i++) {
        if (!ascii_digit(first.p[i]))
            return 0;
        v = v * 10 + (u64)(first.p[i] - '0');
        if (v > CONTROL_SECONDS_MOST)
            v = CONTROL_SECONDS_MOST;
    }
    return (u32)v;
}

/* Those of one second have the same text, and reading it takes 750 instructions. Only the usual
 * format is as long, which is read without the current time. */
static bool read_again(struct slice text, u64 now, time_t *out)
{
    static _Thread_local struct {
        char text[DATE_TEXT];
        time_t t;
    } last;
    bool usual = text.n == sizeof last.text;
    if (usual && memcmp(text.p, last.text, sizeof last.text) == 0) {
        *out = last.t;
        return true;
    }
    bool good = date_read(text, (time_t)now, out);
    if (good && usual) {
        memcpy(last.text, text.p, sizeof last.text);
        last.t = *out;
    }
    return good;
}

void freshness_clocks(const struct msg *response, u64 asked, u64 received, struct freshness *f)
{
    time_t date;
    struct slice value = msg_get(response, TOKEN_DATE);
    f->received = received;
    f->date = received;
    f->dated = read_again(value, received, &date);
    if (f->dated)
        f->date = date < 0 ? 0 : (u64)date;
    i64 apparent = f->date < received ? (i64)(received - f->date) : 0;
    i64 delay = asked < received ? (i64)(received - asked) : 0;
    i64 corrected = (i64)age_value(response) + delay;
    f->age = bounded(apparent > corrected ? apparent : corrected);
}

u32 freshness_age(const struct freshness *f, u64 now)
{
    i64 resident = now > f->received ? (i64)(now - f->received) : 0;
    return bounded((i64)f->age + resident);
}

/* The earliest of them; a date that cannot be read is in the past (RFC 9111 section 5.3). */
static u32 by_expires(const struct msg *response, const struct freshness *f)
{
    u32 least = CONTROL_SECONDS_MOST;
    const struct field *e = msg_find(response, TOKEN_EXPIRES);
    for (; e; e = msg_find_next(response, e)) {
        time_t t;
        bool good = date_read(msg_value(response, e), (time_t)f->received, &t);
        u32 seconds = good ? bounded((i64)t - (i64)f->date) : 0;
        least = seconds < least ? seconds : least;
    }
    return least;
}

static u32 by_heuristic(const struct msg *response, const struct freshness *f)
{
    time_t modified;
    struct slice value = msg_get(response, TOKEN_LAST_MODIFIED);
    if (!date_read(value, (time_t)f->received, &modified) || modified < 0 ||
        (u64)modified >= f->date)
        return 0;
    u64 part = (f->date - (u64)modified) / HEURISTIC_PART;
    return part > HEURISTIC_MOST ? (u32)HEURISTIC_MOST : (u32)part;
}

void freshness_lifetime(const struct msg *response, const struct cache_control *c, u32 ttl,
                        bool guess, struct freshness *f)
{
    f->heuristic = false;
    if (ttl) {
        f->lifetime = bounded((i64)f->age + ttl);
    } else if (c->has & CONTROL_S_MAXAGE) {
        f->lifetime = c->s_maxage;
    } else if (c->has & CONTROL_MAX_AGE) {
        f->lifetime = c->max_age;
    } else if (!(c->has & CONTROL_TARGETED) && msg_has(response, TOKEN_EXPIRES)) {
        f->lifetime = by_expires(response, f);
    } else {
        f->lifetime = guess && !(c->has & CONTROL_NO_CACHE) ? by_heuristic(response, f) : 0;
        f->heuristic = f->lifetime > 0;
    }
    const u32 strict = CONTROL_MUST_REVALIDATE | CONTROL_PROXY_REVALIDATE | CONTROL_S_MAXAGE;
    f->must_revalidate = c->has & (strict | CONTROL_NO_CACHE);
    f->lifetime = c->has & CONTROL_NO_CACHE ? 0 : f->lifetime;
    f->immutable = c->has & CONTROL_IMMUTABLE;
    f->names_none = !(c->has & (CONTROL_FIELDS | CONTROL_TARGETED));
    f->while_revalidate = f->must_revalidate ? 0 : c->stale_while_revalidate;
    f->if_error = f->must_revalidate ? 0 : c->stale_if_error;
}

/* May its age be what it is? An age of 0 seconds is some milliseconds, so max-age=0 is never
 * content; of what never changes it asks nothing (RFC 8246 section 2). */
static bool young_enough(const struct freshness *f, const struct cache_control *request, u32 age,
                         i64 left)
{
    if (!(request->has & CONTROL_MAX_AGE) || (f->immutable && left > 0))
        return true;
    return age <= request->max_age && request->max_age > 0;
}

enum use freshness_use(const struct freshness *f, const struct cache_control *request, u64 now,
                       i64 *ttl_left)
{
    u32 age = freshness_age(f, now);
    i64 left = (i64)f->lifetime - age;
    if (ttl_left)
        *ttl_left = left;
    if ((request->has & CONTROL_NO_CACHE) || !young_enough(f, request, age, left))
        return USE_VALIDATE;
    if ((request->has & CONTROL_MIN_FRESH) && left < (i64)request->min_fresh)
        return USE_VALIDATE;
    if (left > 0)
        return USE_FRESH;
    if (f->must_revalidate)
        return USE_VALIDATE;
    if ((request->has & CONTROL_MAX_STALE) && -left <= (i64)request->max_stale)
        return USE_STALE_ALLOWED;
    /* Who names an age or a rest of freshness wants nothing stale (RFC 9111 section 5.2.1.1). */
    if (request->has & (CONTROL_MAX_AGE | CONTROL_MIN_FRESH))
        return USE_VALIDATE;
    return f->while_revalidate && -left <= (i64)f->while_revalidate ? USE_WHILE_REVALIDATE
                                                                    : USE_VALIDATE;
}

bool freshness_on_error(const struct freshness *f, const struct cache_control *request, u64 now)
{
    i64 left = (i64)f->lifetime - freshness_age(f, now);
    if (request->has & CONTROL_NO_CACHE)
        return false;
    if (left > 0)
        return true;
    if (f->must_revalidate)
        return false;
    u32 most = f->if_error > request->stale_if_error ? f->if_error : request->stale_if_error;
    if ((request->has & CONTROL_MAX_STALE) && request->max_stale > most)
        most = request->max_stale;
    return most && -left <= (i64)most;
}
