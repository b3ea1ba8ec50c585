/* A worker may be late by half of the period. The manager counts a whole one from the last word, so
 * it acts one and a half after the worker's last turn at the latest. */
#include "watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "core/report/log_writer.h"
#include "notify.h"

enum { TICKS = 4 };

struct beat {
    struct call call;
    _Atomic bool posted; /* the worker has it, and has not run it yet */
    u64 posted_us;
    bool told;
};

struct watchdog {
    struct engine *engine;
    u64 period_us;
    struct beat beats[];
};

static u64 number_in(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

struct watchdog *watchdog_new(struct engine *e)
{
    u64 period = number_in("WATCHDOG_USEC"), pid = number_in("WATCHDOG_PID");
    if (period == 0 || (pid && pid != (u64)getpid()))
        return NULL;
    struct watchdog *w = must_zalloc(sizeof *w + e->nworkers * sizeof w->beats[0]);
    w->engine = e;
    w->period_us = period;
    return w;
}

u32 watchdog_ms(const struct watchdog *w)
{
    u64 ms = w ? w->period_us / 1000 / TICKS : UINT32_MAX;
    return ms < 1 ? 1 : ms < UINT32_MAX ? (u32)ms : UINT32_MAX;
}

static void run_beat(struct call *call, void *worker)
{
    (void)worker;
    atomic_store(&container_of(call, struct beat, call)->posted, false);
}

static void tell(struct watchdog *w, u32 i, u64 late_us)
{
    char line[160];
    if (w->beats[i].told)
        return;
    w->beats[i].told = true;
    snprintf(line, sizeof line,
             "worker %u has not turned for %llu ms: it hangs, and the service manager is not told "
             "any more that all is well",
             i, (unsigned long long)(late_us / 1000));
    log_writer_tell(w->engine->log_writer, LEVEL_ERROR, line);
}

/* One that has drained has ended. */
static bool turns(struct watchdog *w, u32 i, u64 now)
{
    struct worker *worker = w->engine->workers[i];
    struct beat *b = &w->beats[i];
    if (atomic_load(&worker->done))
        return true;
    if (atomic_load(&b->posted)) {
        bool late = now - b->posted_us > w->period_us / 2;
        if (late)
            tell(w, i, now - b->posted_us);
        return !late;
    }
    b->told = false;
    b->posted_us = now;
    b->call.run = run_beat;
    atomic_store(&b->posted, true);
    loop_post(&worker->loop, &b->call);
    return true;
}

void watchdog_tick(struct watchdog *w)
{
    bool all = true;
    if (w == NULL)
        return;
    u64 now = clock_us(CLOCK_MONOTONIC);
    for (u32 i = 0; i < w->engine->nworkers; i++)
        all &= turns(w, i, now);
    if (all)
        notify_alive();
}

void watchdog_free(struct watchdog *w)
{
    free(w);
}
