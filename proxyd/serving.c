/*
 * The control thread's loop of signals. The end goes in the order of who calls whom: first what
 * begins new things, then the workers, which drain, then the threads that post to them; and a
 * second signal makes each of these waits short.
 */
#include "serving.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "admin/admin.h"
#include "announce.h"
#include "base/must.h"
#include "cache/tier.h"
#include "cache_report.h"
#include "command.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"
#include "core/conn/client_count.h"
#include "core/conn/shared_idle.h"
#include "core/report/log_writer.h"
#include "core/report/refusals.h"
#include "core/thread.h"
#include "environment.h"
#include "forward/auth/users.h"
#include "io/dns.h"
#include "io/offload.h"
#include "io/watch.h"
#include "lists.h"
#include "notify.h"
#include "reload.h"
#include "served.h"
#include "signals.h"
#include "watchdog.h"

enum { CONTROL_MS = 2000, TICK_MS = 20, PATIENCE_MS = 2000, HURRY_MS = 500 };

static void drain(struct process *p, enum drain_state how)
{
    process_drains();
    for (u32 i = 0; i < p->engine.nworkers; i++)
        worker_drain(p->engine.workers[i], how);
}

static bool all_done(const struct process *p)
{
    for (u32 i = 0; i < p->engine.nworkers; i++)
        if (!atomic_load(&p->engine.workers[i]->done))
            return false;
    return true;
}

static u64 now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

static void tell(struct process *p, enum log_level level, const char *line)
{
    if (p->engine.log_writer)
        log_writer_tell(p->engine.log_writer, level, line);
    else
        process_say("%s", line);
}

/* A signal that does not ask for the end. */
static void answer(struct process *p, enum signal_meaning m, int number, bool ending)
{
    char area[100];
    struct text line = text_in(area, sizeof area - 1);
    signals_name(&line, number);
    if (m == SIGNAL_REOPEN && p->engine.log_writer) {
        log_writer_reopen(p->engine.log_writer); /* which says so */
        return;
    }
    if (m == SIGNAL_UNKNOWN)
        text_lit(&line, ": this signal means nothing here, and nothing is done");
    else if (ending)
        text_lit(&line, ": comes too late, for the end has begun");
    else
        text_lit(&line, ": reading the configuration again");
    area[line.n] = 0;
    if (m == SIGNAL_RELOAD && !ending)
        reload_ask(p->reload);
    tell(p, m == SIGNAL_RELOAD && !ending ? LEVEL_INFO : LEVEL_WARNING, area);
}

static bool is_end(enum signal_meaning m)
{
    return m == SIGNAL_GRACEFUL || m == SIGNAL_FAST;
}

/* One more signal that asks for the end, within so many ms? */
static bool is_asked_to_end(struct process *p, const sigset_t *set, u32 ms)
{
    int number;
    enum signal_meaning m = signals_wait(set, ms, &number);
    if (m != SIGNAL_NONE && !is_end(m))
        answer(p, m, number, true);
    return is_end(m);
}

/* After the first signal: until all is finished, time is up, or a second one comes. True: a signal
 * has asked for the end at once. */
static bool finish(struct process *p, const sigset_t *set, enum signal_meaning how)
{
    notify_stopping(process_newest(p)->conf.timeouts.drain);
    reload_end(p->reload); /* the newest stays from now on */
    u64 limit = process_newest(p)->conf.timeouts.drain, start = now_ms();
    bool hurry = how == SIGNAL_FAST, now = hurry;
    lists_end();
    auth_users_end();
    served_end(p->served);
    cache_report_end();
    caches_leave(p->engine.registry);
    drain(p, now ? DRAIN_NOW : DRAIN_GRACEFUL);
    while (!all_done(p)) {
        hurry |= is_asked_to_end(p, set, TICK_MS);
        watchdog_tick(p->watchdog);
        bool late = limit != UINT32_MAX && now_ms() - start >= limit;
        if ((hurry || late) && !now) {
            now = true;
            drain(p, DRAIN_NOW);
        }
    }
    return hurry;
}

static bool threads_ended(const struct process *p)
{
    return offload_ended(p->engine.offload) && reload_ended(p->reload) && lists_ended() &&
           caches_left(p->engine.registry);
}

/* Do the threads that use files come to their end, in some time and before one more signal? A disk
 * that is slow has half of that time for what is queued, at once none: then it need only stop. */
static bool finish_threads(struct process *p, const sigset_t *set, bool hurry)
{
    u64 limit = hurry ? HURRY_MS : PATIENCE_MS, start = now_ms();
    while (!threads_ended(p)) {
        if (hurry || now_ms() - start >= limit / 2)
            caches_hurry(p->engine.registry);
        if (is_asked_to_end(p, set, TICK_MS) || now_ms() - start >= limit)
            return threads_ended(p);
    }
    return true;
}

/* Until the first signal that asks for the end, and what it asks for; true: the end at once. */
bool serve_signals(struct process *p, const sigset_t *set)
{
    u32 ms = watchdog_ms(p->watchdog) < CONTROL_MS ? watchdog_ms(p->watchdog) : CONTROL_MS;
    notify_ready();
    for (;;) {
        int number;
        watchdog_tick(p->watchdog);
        announce_status(p);
        enum signal_meaning m = signals_wait(set, ms, &number);
        if (is_end(m))
            return finish(p, set, m);
        if (m != SIGNAL_NONE)
            answer(p, m, number, false);
        environment_tick(p->environment, p->engine.offload);
    }
}

/* The loops of the workers stay until no job of the offload threads can post to one any more. */
void dismantle(struct process *p, const sigset_t *set, bool hurry)
{
    watcher_stop(p->watcher);
    offload_end(p->engine.offload);
    admin_stop(p->admin);
    served_stop(p->served);
    for (u32 i = 0; i < p->engine.nworkers; i++)
        worker_join(p->engine.workers[i]);
    log_writer_stop(p->engine.log_writer);
    p->engine.log_writer = NULL;
    u64 cut = atomic_load(&p->engine.cut);
    if (cut)
        process_say("%llu requests and tunnels were cut off", (unsigned long long)cut);
    if (!finish_threads(p, set, hurry)) {
        process_say(
            "warning: a thread hangs on a file, as on a disk that has gone away: left behind");
        /* That thread uses what would be freed here, so nothing more runs: _exit would let a
         * sanitizer look at the threads, and take one that ends just then for forgotten. */
        syscall(SYS_exit_group, EXIT_FINE);
    }
    offload_free(p->engine.offload);
    p->engine.offload = NULL; /* snapshot_retire frees what is left by itself */
    reload_free(p->reload);
    watcher_free(p->watcher);
    environment_free(p->environment);
    for (u32 i = 0; i < p->engine.nworkers; i++)
        worker_free(p->engine.workers[i]);
    watchdog_free(p->watchdog);
    served_free(p->served);
    dns_shared_free(p->engine.dns);
    shared_idle_free(p->engine.shared_idle);
    client_count_free(p->engine.client_count);
    refusals_free(p->engine.refusals);
    free(p->engine.workers);
    snapshot_retire(&p->engine);
    lists_free();
    registry_free(p->engine.registry);
    arena_free(&p->arena);
}
