/*
 * When it is asked: `time`. Days and hours are one value; the hard thing are the hours after
 * midnight, which belong to the day on which the span began.
 */
#include "base/must.h"
#include "base/clock.h"
#include "base/str.h"
#include "policy/condition.h"
#include "policy/spans.h"

/* ---- words ---- */

static bool day_named(struct slice s, unsigned *day)
{
    static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
    for (*day = 0; *day < 7; ++*day)
        if (slice_eq_nocase(s, slice_of(names[*day])))
            return true;
    return false;
}

static bool days_of(struct slice word, u8 *days)
{
    struct slice piece, first;
    u8 all = 0;
    while (slice_cut(&word, ',', &piece)) {
        unsigned from, to;
        if (!slice_cut(&piece, '-', &first) || !day_named(first, &from))
            return false;
        to = from;
        if (piece.p && !day_named(piece, &to))
            return false;
        for (unsigned day = from;; day = (day + 1) % 7) { /* fri-mon goes over the end of a week */
            all |= (u8)(1 << day);
            if (day == to)
                break;
        }
    }
    *days = all;
    return true;
}

static bool minute_of(struct slice s, u16 *out)
{
    if (s.n != 5 || !ascii_digit(s.p[0]) || !ascii_digit(s.p[1]) || s.p[2] != ':' ||
        !ascii_digit(s.p[3]) || !ascii_digit(s.p[4]))
        return false;
    int hour = (s.p[0] - '0') * 10 + s.p[1] - '0', minute = (s.p[3] - '0') * 10 + s.p[4] - '0';
    *out = (u16)(hour * 60 + minute);
    return minute < 60 && *out <= 24 * 60;
}

enum span_word span_word(struct slice word, struct span *s)
{
    struct slice from;
    if (days_of(word, &s->days))
        return SPAN_DAYS;
    if (slice_cut(&word, '-', &from) && minute_of(from, &s->from) && minute_of(word, &s->to) &&
        s->from != s->to && s->from < 24 * 60)
        return SPAN_HOURS;
    return SPAN_NEITHER;
}

bool span_has(const struct span *s, struct zone_time t)
{
    bool today = s->days >> t.weekday & 1, yesterday = s->days >> (t.weekday + 6) % 7 & 1;
    if (s->from < s->to)
        return today && t.minute >= s->from && t.minute < s->to;
    return (today && t.minute >= s->from) || (yesterday && t.minute < s->to);
}

/* ---- the condition ---- */

struct times {
    const struct zone *zone;
    u32 n;
    const struct span *span;
};

const void *condition_time_make(const struct node *n, struct arena *a)
{
    struct times *t = arena_zalloc(a, sizeof *t);
    struct span *list = arena_alloc(a, node_nargs(n) * sizeof *list), next = { .days = 0x7f };
    const struct node *zone = node_child(n->parent->parent->parent, "time-zone");
    for (u32 i = 0; i < node_nargs(n); i++)
        if (span_word(node_arg(n, i)->text, &next) == SPAN_HOURS)
            list[t->n++] = next;
    t->span = list;
    t->zone = zone_load(a, zone ? node_arg(zone, 0)->text : SLICE(""));
    must(t->zone != NULL);
    return t;
}

void condition_time_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

enum match condition_time_holds(const void *data, struct evaluation *e)
{
    const struct times *t = data;
    u64 now = e->q->now_s ? e->q->now_s : clock_us(CLOCK_REALTIME) / 1000000;
    struct zone_time local = zone_local(t->zone, now);
    for (u32 i = 0; i < t->n; i++)
        if (span_has(&t->span[i], local))
            return MATCH_YES;
    return MATCH_NO;
}
