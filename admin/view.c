#include "admin/view.h"

#include <stdlib.h>
#include <unistd.h>

#include "admin/figures.h"
#include "base/clock.h"
#include "base/stat.h"
#include "cache/cache.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"

enum { LATELY_MS = 5000 };

static void take_top(const char *name, const void *entry, void *ctx)
{
    struct view *v = ctx;
    struct cache *c = ((const struct cache_entry *)entry)->cache;
    (void)name;
    top_of(c, v->now_us / 1000000, &v->top);
}

void view_begin(struct view *v, struct engine *e, const struct history *h)
{
    u64 now_ms = clock_us(CLOCK_MONOTONIC) / 1000;
    *v = (struct view){ .engine = e, .history = h, .now_us = clock_us(CLOCK_REALTIME) };
    v->snapshot = snapshot_hold_newest(e);
    v->caches = registry_count(e->registry, &caches);
    history_read(&v->now, now_ms);
    v->from = h->n ? history_at(h, 0) : &v->now;
    registry_each(e->registry, &caches, take_top, v);
}

void view_end(struct view *v)
{
    if (v->snapshot)
        snapshot_let_go(v->engine, v->snapshot);
}

u64 view_grown(const struct view *v, enum history_value which)
{
    return v->now.value[which] - v->from->value[which];
}

u64 view_failed(const struct view *v, enum fault f)
{
    return v->now.fault[f] - v->from->fault[f];
}

double view_span(const struct view *v)
{
    u64 ms = v->now.at_ms - v->from->at_ms;
    return ms > 1000 ? (double)ms / 1000 : 1;
}

void view_put_span(const struct view *v)
{
    double span = view_span(v);
    fputs(span >= 3540 ? "in the last hour" : "in ", v->to);
    if (span < 3540)
        figure_time(v->to, (u64)span);
}

double view_rate(const struct view *v, enum history_value which)
{
    const struct history_sample *s = v->from;
    for (unsigned i = v->history->n; i-- > 0;)
        if (v->now.at_ms - history_at(v->history, i)->at_ms >= LATELY_MS) {
            s = history_at(v->history, i);
            break;
        }
    u64 ms = v->now.at_ms - s->at_ms;
    return ms ? (double)(v->now.value[which] - s->value[which]) * 1000 / (double)ms : 0;
}

unsigned view_faults(const struct view *v, enum fault out[FAULT_COUNT])
{
    unsigned n = 0;
    for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        unsigned at = n;
        if (view_failed(v, f) == 0)
            continue;
        for (; at > 0 && view_failed(v, out[at - 1]) < view_failed(v, f); at--)
            out[at] = out[at - 1];
        out[at] = f;
        n++;
    }
    return n;
}

u64 view_age(const struct view *v, u64 then_s)
{
    u64 now_s = v->now_us / 1000000;
    return now_s > then_s ? now_s - then_s : 0;
}

u64 view_memory(void)
{
    char line[128] = "";
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    char *rest = fgets(line, sizeof line, f);
    fclose(f);
    if (rest == NULL)
        return 0;
    (void)strtoull(line, &rest, 10);
    return strtoull(rest, NULL, 10) * (u64)sysconf(_SC_PAGESIZE);
}
