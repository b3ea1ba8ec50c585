/*
 * Threads: `sleeping` and the eventfd are shared with the workers, everything else is the
 * writer's own. The writer naps 20 ms between rounds while there is traffic, so a line costs no
 * wake-up of its own; when a round finds nothing it sleeps until a worker calls.
 *
 * No call is missed: the writer says that it sleeps, then looks at the rings once more; a worker
 * publishes, then looks whether the writer sleeps. Each has a full fence between the two: without
 * them each could still see what was before the other's store, because a processor may let a load
 * overtake an earlier store to elsewhere, and the record would lie there until the next one.
 */
#include "core/report/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/stat.h"
#include "core/report/log_format.h"
#include "core/report/log_output.h"

enum { RING = 1 << 20, NAP_MS = 20, STOP_SECONDS = 2, TELL_AGAIN_MS = 10000, FINISH_MS = 1000 };

struct log_writer {
    struct ring *ring;
    u64 *lost; /* per ring: drops already reported */
    u32 nrings;
    struct log_output access, error;
    struct stats *stats;
    struct log_clock clock;
    int event;
    pthread_t thread;
    _Atomic bool sleeping, stop;
};

struct log_writer *log_writer_new(int access_fd, int error_fd, u32 nrings)
{
    struct log_writer *w = must_zalloc(sizeof *w);
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
    w->access = log_output_new("access", access_fd, w->stats);
    w->error = log_output_new("error", error_fd, w->stats);
    w->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    must(w->event >= 0);
    return w;
}

struct ring *log_writer_ring(struct log_writer *w, u32 i)
{
    return &w->ring[i];
}

/* On stderr, unless that is what cannot be written, or is a pipe that nobody reads. */
static void complain(const struct log_output *o, struct slice line)
{
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (o->fd != STDERR_FILENO && poll(&p, 1, 0) > 0)
        (void)!write(STDERR_FILENO, line.p, line.n);
}

/* Of the access log in the error log, of that on stderr; the first time, at the end, and now and
 * then in between. */
static void report_unwritten(struct log_writer *w, struct log_output *o)
{
    char area[200];
    struct text line = text_in(area, sizeof area);
    u64 now = clock_us(CLOCK_MONOTONIC) / 1000;
    if (o->unwritten == 0 || (now < o->tell_ms && !atomic_load(&w->stop)))
        return;
    text_fmt(&line, "proxyd: the %s log cannot be written: %s: %llu lines lost\n", o->name,
             strerror(o->why), (unsigned long long)o->unwritten);
    o->unwritten = 0;
    o->tell_ms = now + TELL_AGAIN_MS;
    if (o == &w->error) {
        complain(o, text_slice(&line));
        return;
    }
    text_add(&w->error.text, text_slice(&line));
    log_output_flush(&w->error);
}

static void format(struct log_writer *w, struct slice record)
{
    const struct log_head *h = (const void *)record.p;
    struct log_output *o = h->kind == LOG_ACCESS ? &w->access : &w->error;
    if (o->text.cap - o->text.n < LOG_LINE)
        log_output_flush(o);
    if (h->kind == LOG_ACCESS)
        log_format_access(&o->text, &w->clock, (const void *)record.p);
    else
        log_format_error(&o->text, &w->clock, (const void *)record.p);
}

static void report_lost(struct log_writer *w, u32 i)
{
    u64 dropped = atomic_load_explicit(&w->ring[i].dropped, memory_order_relaxed);
    if (dropped == w->lost[i])
        return;
    text_fmt(&w->error.text, "proxyd: the log writer fell behind: %llu lines lost\n",
             (unsigned long long)(dropped - w->lost[i]));
    w->lost[i] = dropped;
}

static bool drain(struct log_writer *w)
{
    bool any = false;
    for (u32 i = 0; i < w->nrings; i++) {
        struct slice record;
        while ((record = ring_peek(&w->ring[i])).p != NULL) {
            format(w, record);
            ring_pop(&w->ring[i]);
            any = true;
        }
        report_lost(w, i);
    }
    log_output_flush(&w->access);
    log_output_flush(&w->error);
    report_unwritten(w, &w->access);
    report_unwritten(w, &w->error);
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
    return w->access.unfinished || w->error.unfinished ? FINISH_MS : -1;
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
    log_output_free(&w->access);
    log_output_free(&w->error);
    free(w); /* the counters stay: readers may still sum them */
}
