/* What the page and its JSON tell about: gathered once for each answer, on the admin thread. */
#ifndef ADMIN_VIEW_H
#define ADMIN_VIEW_H

#include <stdio.h>

#include "admin/history.h"
#include "cache/top.h"
#include "core/common/listen_counts.h"
#include "core/worker.h"

struct view {
    FILE *to; /* what is written now */
    struct engine *engine;
    struct snapshot *snapshot; /* held; NULL: there is none */
    const struct history *history;
    struct history_sample now;
    const struct history_sample *from; /* an hour ago, or the oldest */
    u64 up_s, now_us;                  /* wall clock */
    bool ready;
    const char *why; /* it is not ready */
    u32 caches;      /* that the configuration has */
    unsigned rows;   /* of the list that is being written */
    struct top top;
};

/* Gathers all but up_s, ready and why, which are the caller's to set; holds the snapshot in force.
 * h: outlives the view. */
void view_begin(struct view *v, struct engine *e, const struct history *h);
/* Lets the snapshot go. */
void view_end(struct view *v);

/* Growth over the time that v->from reaches back. */
u64 view_grown(const struct view *v, enum history_value which);
u64 view_failed(const struct view *v, enum fault f);
/* Seconds that it reaches back, 1 at least. */
double view_span(const struct view *v);
/* "in the last hour", "in 12 min" */
void view_put_span(const struct view *v);
/* Per second lately: since the last sample that is some seconds old. */
double view_rate(const struct view *v, enum history_value which);
/* Faults by how often they came in that time, most first; how many did. */
unsigned view_faults(const struct view *v, enum fault out[FAULT_COUNT]);
/* Seconds since then_s, a time of the wall clock; 0 when that has been set back behind it. */
u64 view_age(const struct view *v, u64 then_s);
/* Resident memory of the process in bytes; 0: not known. */
u64 view_memory(void);

#endif
