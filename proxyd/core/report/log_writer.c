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

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/call.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/stat.h"
#include "core/report/log_format.h"
#include "core/report/log_output.h"

enum { RING = 1 << 20, NAP_MS = 20, STOP_SECONDS = 2, TELL_AGAIN_MS = 10000, FINISH_MS = 1000 };

enum asked { ASKED_REOPEN = 1, ASKED_LINES = 2 };

/* From a thread that is no worker. */
struct line {
    struct call call;
    enum log_level level;
    char text[];
};

struct log {
    struct log_place place;
    struct log_output out;
    bool begun; /* what a file of its format begins with has been written */
};

struct log_writer {
    struct ring *ring;
    u64 *lost; /* per ring: drops already reported */
    u32 nrings;
    struct log access[CONF_LOGS], error;
    u32 naccess;
    u8 error_level;
    int (*open_file)(const char *path);
    struct stats *stats;
    struct log_clock clock;
    int event;
    pthread_t thread;
    _Atomic bool sleeping, stop;
    _Atomic u8 asked; /* bits of enum asked */
    struct call_queue lines;
    struct log_set *_Atomic next; /* to be adopted */
};

/* What a file begins with may have been among the lines that were lost. */
static void flush(struct log *l)
{
    u64 before = l->out.unwritten;
    log_output_flush(&l->out);
    if (l->out.unwritten != before)
        l->begun = false;
}

static void make_room(struct log *l)
{
    if (l->out.text.cap - l->out.text.n < LOG_LINE)
        flush(l);
}

static void begin(struct log_writer *w, struct log *l)
{
    make_room(l);
    log_format_begin(&l->out.text, &w->clock, &l->place.style, clock_us(CLOCK_REALTIME));
    l->begun = true;
}

/* A line of the writer's own. */
static void tell(struct log_writer *w, enum log_level level, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static void tell(struct log_writer *w, enum log_level level, const char *fmt, ...)
{
    struct {
        struct error_record r;
        char text[512];
    } e;
    va_list ap;
    if (level > w->error_level)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(e.text, sizeof e.text, fmt, ap);
    va_end(ap);
    e.r.head = (struct log_head){ .kind = LOG_ERROR,
                                  .level = (u8)level,
                                  .length = { (u16)(n < (int)sizeof e.text ? n : 511) },
                                  .wall_us = clock_us(CLOCK_REALTIME) };
    make_room(&w->error);
    log_format_error(&w->error.out.text, &w->clock, &e.r);
}

/* ---- where to ---- */

static void open_log(struct log_writer *w, struct log *l, const struct log_place *p)
{
    const char *name = l == &w->error ? "error" : log_place_name(p);
    *l = (struct log){ .place = *p, .out = log_output_new(name, p->fd, w->stats) };
    l->out.socket = p->to == LOG_SYSLOG ? p->path : NULL;
}

static void close_log(struct log *l)
{
    log_output_flush(&l->out);
    log_output_free(&l->out);
    log_place_close(&l->place);
}

/* Of the same name: the file may be another one all the same. */
static void go_on(struct log *l, const struct log_place *p)
{
    if (log_output_go_on(&l->out, p->fd) || l->place.style.format != p->style.format)
        l->begun = false;
    l->out.socket = p->to == LOG_SYSLOG ? p->path : NULL;
    if (l->out.name == l->place.path)
        l->out.name = p->path;
    log_place_close(&l->place);
    l->place = *p;
}

static bool is_same_place(const struct log_place *a, const struct log_place *b)
{
    return a->to == b->to && strcmp(a->path ? a->path : "", b->path ? b->path : "") == 0;
}

static void adopt_access(struct log_writer *w, const struct log_set *s)
{
    struct log old[CONF_LOGS];
    u32 nold = w->naccess;
    memcpy(old, w->access, sizeof old);
    for (u32 i = 0; i < s->naccess; i++) {
        u32 k = 0;
        while (k < nold && !is_same_place(&old[k].place, &s->access[i]))
            k++;
        if (k == nold) {
            open_log(w, &w->access[i], &s->access[i]);
            continue;
        }
        w->access[i] = old[k];
        old[k] = old[--nold];
        go_on(&w->access[i], &s->access[i]);
    }
    w->naccess = s->naccess;
    while (nold)
        close_log(&old[--nold]);
}

/* What is in it belongs to the logs then. */
static void adopt(struct log_writer *w, struct log_set *s)
{
    if (is_same_place(&w->error.place, &s->error)) {
        go_on(&w->error, &s->error);
    } else {
        close_log(&w->error);
        open_log(w, &w->error, &s->error);
    }
    w->error_level = s->error_level;
    w->open_file = s->open_file;
    adopt_access(w, s);
    free(s);
    for (u32 i = 0; i < w->naccess; i++)
        if (!w->access[i].begun)
            begin(w, &w->access[i]);
}

static u32 reopen_one(struct log_writer *w, struct log *l)
{
    if (l->place.to != LOG_PATH)
        return 0;
    int fd = w->open_file(l->place.path), old = l->place.fd;
    if (fd < 0) {
        tell(w, LEVEL_ERROR, "cannot open the log %s again: %s; it goes on in the old file",
             l->place.path, strerror(errno));
        return 0;
    }
    bool another = log_output_go_on(&l->out, fd);
    l->place.fd = fd;
    close(old);
    if (another && l != &w->error)
        begin(w, l);
    return 1;
}

static void reopen(struct log_writer *w)
{
    u32 n = reopen_one(w, &w->error);
    for (u32 i = 0; i < w->naccess; i++)
        n += reopen_one(w, &w->access[i]);
    tell(w, LEVEL_INFO, "log files opened again: %u", n);
}

static void tell_line(struct call *call, void *writer)
{
    struct line *l = container_of(call, struct line, call);
    tell(writer, l->level, "%s", l->text);
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
            adopt(w, s);
    }
    if (unlikely(atomic_load_explicit(&w->asked, memory_order_relaxed))) {
        u8 asked = atomic_exchange(&w->asked, 0);
        if (asked & ASKED_LINES)
            tell_lines(w);
        if (asked & ASKED_REOPEN)
            reopen(w);
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
    open_log(w, &w->error, &(struct log_place){ .to = LOG_NONE, .fd = -1 });
    if (set)
        adopt(w, set);
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

/* Losses of an access log are reported in the error log, those of the error log on stderr: the
 * first time, at the end, and now and then in between. */
static void report_unwritten(struct log_writer *w, struct log *l)
{
    char area[400];
    struct text line = text_in(area, sizeof area);
    struct log_output *o = &l->out;
    bool named = l != &w->error && w->naccess > 1;
    u64 now = clock_us(CLOCK_MONOTONIC) / 1000;
    if (o->unwritten == 0 || (now < o->tell_ms && !atomic_load(&w->stop)))
        return;
    text_fmt(&line, "proxyd: the %s log%s%.100s cannot be written: %s: %llu lines lost\n",
             l == &w->error ? "error" : "access", named ? " " : "", named ? o->name : "",
             strerror(o->why), (unsigned long long)o->unwritten);
    o->unwritten = 0;
    o->tell_ms = now + TELL_AGAIN_MS;
    if (l == &w->error) {
        complain(o, text_slice(&line));
        return;
    }
    text_add(&w->error.out.text, text_slice(&line));
    log_output_flush(&w->error.out);
}

static void format(struct log_writer *w, struct slice record)
{
    const struct log_head *h = (const void *)record.p;
    if (h->kind == LOG_ERROR) {
        make_room(&w->error);
        log_format_error(&w->error.out.text, &w->clock, (const void *)record.p);
        return;
    }
    for (u32 i = 0; i < w->naccess; i++) {
        struct log *l = &w->access[i];
        if (l->out.fd < 0)
            continue;
        make_room(l);
        if (unlikely(!l->begun))
            begin(w, l);
        log_format_access(&l->out.text, &w->clock, &l->place.style, (const void *)record.p);
    }
}

static void report_lost(struct log_writer *w, u32 i)
{
    u64 dropped = atomic_load_explicit(&w->ring[i].dropped, memory_order_relaxed);
    if (dropped == w->lost[i])
        return;
    text_fmt(&w->error.out.text, "proxyd: the log writer fell behind: %llu lines lost\n",
             (unsigned long long)(dropped - w->lost[i]));
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
            format(w, record);
            ring_pop(&w->ring[i]);
            any = true;
        }
        report_lost(w, i);
    }
    for (u32 i = 0; i < w->naccess; i++)
        flush(&w->access[i]);
    flush(&w->error);
    for (u32 i = 0; i < w->naccess; i++)
        report_unwritten(w, &w->access[i]);
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
    bool any = w->error.out.unfinished > 0;
    for (u32 i = 0; i < w->naccess; i++)
        any |= w->access[i].out.unfinished > 0;
    return any ? FINISH_MS : -1;
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
    for (u32 i = 0; i < w->naccess; i++)
        close_log(&w->access[i]);
    close_log(&w->error);
    free_lines(w);
    log_set_free(atomic_load(&w->next));
    free(w); /* the counters stay: readers may still sum them */
}
