/*
 * Threads: the eventfd and the atomics are shared, `sleeping` with the workers, the others with
 * those who reload, rotate, have a line to say and end; everything else is the writer's own. The
 * writer naps 20 ms between rounds while there is traffic, so a line costs no wake-up of its own;
 * when a round finds nothing it sleeps until a worker calls.
 *
 * No call is missed: the writer says that it sleeps, then looks at the rings once more; a worker
 * publishes, then looks whether the writer sleeps. Each has a full fence between the two: without
 * them each could still see what was before the other's store, because a processor may let a load
 * overtake an earlier store to elsewhere, and the record would lie there until the next one.
 */
#include "core/report/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/call.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/stat.h"
#include "core/report/open_logs.h"

enum { RING = 1 << 20, NAP_MS = 20, STOP_SECONDS = 2, FINISH_MS = 1000 };

enum asked { ASKED_REOPEN = 1, ASKED_LINES = 2 };

/* From a thread that is no worker. */
struct line {
    struct call call;
    enum log_level level;
    char text[];
};

struct log_writer {
    struct ring *ring;
    u64 *lost; /* per ring: drops already reported */
    u32 nrings;
    struct open_logs logs;
    struct stats *stats;
    int event;
    pthread_t thread;
    _Atomic bool sleeping, stop;
    _Atomic u8 asked; /* bits of enum asked */
    struct call_queue lines;
    struct log_set *_Atomic next; /* to be adopted */
};

static void tell_line(struct call *call, void *writer)
{
    struct line *l = container_of(call, struct line, call);
    struct log_writer *w = writer;
    open_logs_tell(&w->logs, l->level, "%s", l->text);
    free(l);
}

static void tell_lines(struct log_writer *w)
{
    for (struct call *c = call_take(&w->lines); c;) {
        struct call *next = c->next;
        c->run(c, w);
        c = next;
    }
}

/* What other threads have asked for. */
static void obey(struct log_writer *w)
{
    if (unlikely(atomic_load_explicit(&w->next, memory_order_relaxed) != NULL)) {
        struct log_set *s = atomic_exchange(&w->next, NULL);
        if (s)
            open_logs_adopt(&w->logs, s);
    }
    if (unlikely(atomic_load_explicit(&w->asked, memory_order_relaxed))) {
        u8 asked = atomic_exchange(&w->asked, 0);
        if (asked & ASKED_LINES)
            tell_lines(w);
        if (asked & ASKED_REOPEN)
            open_logs_reopen(&w->logs);
    }
}

struct log_writer *log_writer_new(struct log_set *set, u32 nrings)
{
    struct log_writer *w = aligned_alloc(CACHE_LINE, sizeof *w);
    must(w != NULL);
    memset(w, 0, sizeof *w);
    w->ring = aligned_alloc(CACHE_LINE, nrings * sizeof *w->ring);
    must(w->ring != NULL);
    w->lost = must_zalloc(nrings * sizeof *w->lost);
    w->nrings = nrings;
    for (u32 i = 0; i < nrings; i++)
        ring_init(&w->ring[i], RING);
    w->stats = aligned_alloc(CACHE_LINE, sizeof *w->stats);
    must(w->stats != NULL);
    memset(w->stats, 0, sizeof *w->stats);
    stats_register(w->stats);
    open_logs_init(&w->logs, w->stats);
    if (set)
        open_logs_adopt(&w->logs, set);
    w->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    must(w->event >= 0);
    return w;
}

struct ring *log_writer_ring(struct log_writer *w, u32 i)
{
    return &w->ring[i];
}

static void report_lost(struct log_writer *w, u32 i)
{
    u64 dropped = atomic_load_explicit(&w->ring[i].dropped, memory_order_relaxed);
    if (dropped == w->lost[i])
        return;
    open_logs_report_lost(&w->logs, dropped - w->lost[i]);
    w->lost[i] = dropped;
}

static bool drain(struct log_writer *w)
{
    bool any = false;
    obey(w);
    for (u32 i = 0; i < w->nrings; i++) {
        struct slice record;
        while ((record = ring_peek(&w->ring[i])).p != NULL) {
            obey(w);
            open_logs_format(&w->logs, record);
            ring_pop(&w->ring[i]);
            any = true;
        }
        report_lost(w, i);
    }
    open_logs_flush(&w->logs, atomic_load(&w->stop));
    return any;
}

static void rest(struct log_writer *w, int ms)
{
    struct pollfd p = { .fd = w->event, .events = POLLIN };
    u64 n;
    if (poll(&p, 1, ms) > 0)
        (void)!read(w->event, &n, sizeof n);
}

/* A line that stands half in its file is finished soon after there is room, traffic or not. */
static int longest_rest(const struct log_writer *w)
{
    return open_logs_unfinished(&w->logs) ? FINISH_MS : -1;
}

static void *run(void *arg)
{
    struct log_writer *w = arg;
    pthread_setname_np(pthread_self(), "log");
    while (!atomic_load(&w->stop)) {
        if (drain(w)) {
            rest(w, NAP_MS);
            continue;
        }
        atomic_store_explicit(&w->sleeping, true, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
        if (!drain(w) && !atomic_load(&w->stop))
            rest(w, longest_rest(w));
        atomic_store(&w->sleeping, false);
    }
    drain(w);
    return NULL;
}

void log_writer_start(struct log_writer *w)
{
    must(pthread_create(&w->thread, NULL, run, w) == 0);
}

void log_writer_wake(struct log_writer *w, bool urgent)
{
    u64 one = 1;
    atomic_thread_fence(memory_order_seq_cst);
    if (urgent || atomic_load_explicit(&w->sleeping, memory_order_relaxed))
        (void)!write(w->event, &one, sizeof one);
}

void log_writer_change(struct log_writer *w, struct log_set *set)
{
    log_set_free(atomic_exchange(&w->next, set));
    log_writer_wake(w, true);
}

void log_writer_reopen(struct log_writer *w)
{
    atomic_fetch_or(&w->asked, ASKED_REOPEN);
    log_writer_wake(w, true);
}

void log_writer_tell(struct log_writer *w, enum log_level level, const char *text)
{
    size_t n = strlen(text) + 1;
    struct line *l = must_zalloc(sizeof *l + n);
    l->call.run = tell_line;
    l->level = level;
    memcpy(l->text, text, n);
    call_post(&w->lines, &l->call);
    atomic_fetch_or(&w->asked, ASKED_LINES);
    log_writer_wake(w, true);
}

/* Those that came too late. */
static void free_lines(struct log_writer *w)
{
    for (struct call *c = call_take(&w->lines); c;) {
        struct call *next = c->next;
        free(container_of(c, struct line, call));
        c = next;
    }
}

void log_writer_stop(struct log_writer *w)
{
    u64 one = 1;
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += STOP_SECONDS;
    atomic_store(&w->stop, true);
    (void)!write(w->event, &one, sizeof one);
    if (pthread_timedjoin_np(w->thread, NULL, &limit) != 0)
        return; /* it hangs in write(2) on a pipe that nobody reads, and all it has with it */
    for (u32 i = 0; i < w->nrings; i++)
        ring_free(&w->ring[i]);
    close(w->event);
    free(w->ring);
    free(w->lost);
    open_logs_free(&w->logs);
    free_lines(w);
    log_set_free(atomic_load(&w->next));
    free(w); /* the counters stay: readers may still sum them */
}
