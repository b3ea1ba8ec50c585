/*
 * The last hour, as samples of counters: 121 of them, 30 s apart, in 110 kB that are there from the
 * start. The admin thread takes them, so it costs the workers nothing, and lasts over reloads.
 */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "base/fault.h"

enum { HISTORY_SAMPLES = 121, HISTORY_MS = 30000 };

enum history_value {
    HISTORY_REQUESTS,
    HISTORY_ASKED, /* of these, those that a cache was asked for */
    HISTORY_HITS,  /* of these, those that no origin was asked for */
    HISTORY_SAVED, /* bytes */
    HISTORY_TO_CLIENTS,
    HISTORY_FROM_CLIENTS,
    HISTORY_CPU_US,
    HISTORY_VALUES
};

struct history_sample {
    u64 at_ms; /* monotonic */
    u64 value[HISTORY_VALUES];
    u64 fault[FAULT_COUNT];
};

struct history {
    struct history_sample sample[HISTORY_SAMPLES];
    unsigned first, n;
};

/* The counters as they are now. */
void history_read(struct history_sample *s, u64 now_ms);
/* Takes a sample if it is time for one; the oldest makes room. How many ms until the next. */
u64 history_tick(struct history *h, u64 now_ms);
/* The i-th of h->n, oldest first. */
const struct history_sample *history_at(const struct history *h, unsigned i);

#endif
