#include "core/report/open_logs.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/report/log_format.h"
#include "core/report/logrec.h"

enum { TELL_AGAIN_MS = 10000 };

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

static void begin(struct open_logs *logs, struct log *l)
{
    make_room(l);
    log_format_begin(&l->out.text, &logs->clock, &l->place.style, clock_us(CLOCK_REALTIME));
    l->begun = true;
}

void open_logs_tell(struct open_logs *logs, enum log_level level, const char *fmt, ...)
{
    struct {
        struct error_record r;
        char text[512];
    } e;
    va_list ap;
    if (level > logs->error_level)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(e.text, sizeof e.text, fmt, ap);
    va_end(ap);
    e.r.head = (struct log_head){ .kind = LOG_ERROR,
                                  .level = (u8)level,
                                  .length = { (u16)(n < (int)sizeof e.text ? n : 511) },
                                  .wall_us = clock_us(CLOCK_REALTIME) };
    make_room(&logs->error);
    log_format_error(&logs->error.out.text, &logs->clock, &e.r);
}

/* ---- where to ---- */

static void open_log(struct open_logs *logs, struct log *l, const struct log_place *p)
{
    const char *name = l == &logs->error ? "error" : log_place_name(p);
    *l = (struct log){ .place = *p, .out = log_output_new(name, p->fd, logs->stats) };
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

static void adopt_access(struct open_logs *logs, const struct log_set *s)
{
    struct log old[CONF_LOGS];
    u32 nold = logs->naccess;
    memcpy(old, logs->access, sizeof old);
    for (u32 i = 0; i < s->naccess; i++) {
        u32 k = 0;
        while (k < nold && !is_same_place(&old[k].place, &s->access[i]))
            k++;
        if (k == nold) {
            open_log(logs, &logs->access[i], &s->access[i]);
            continue;
        }
        logs->access[i] = old[k];
        old[k] = old[--nold];
        go_on(&logs->access[i], &s->access[i]);
    }
    logs->naccess = s->naccess;
    while (nold)
        close_log(&old[--nold]);
}

void open_logs_adopt(struct open_logs *logs, struct log_set *s)
{
    if (is_same_place(&logs->error.place, &s->error)) {
        go_on(&logs->error, &s->error);
    } else {
        close_log(&logs->error);
        open_log(logs, &logs->error, &s->error);
    }
    logs->error_level = s->error_level;
    logs->open_file = s->open_file;
    adopt_access(logs, s);
    free(s);
    for (u32 i = 0; i < logs->naccess; i++)
        if (!logs->access[i].begun)
            begin(logs, &logs->access[i]);
}

static u32 reopen_one(struct open_logs *logs, struct log *l)
{
    if (l->place.to != LOG_PATH)
        return 0;
    int fd = logs->open_file(l->place.path), old = l->place.fd;
    if (fd < 0) {
        open_logs_tell(logs, LEVEL_ERROR,
                       "cannot open the log %s again: %s; it goes on in the old file",
                       l->place.path, strerror(errno));
        return 0;
    }
    bool another = log_output_go_on(&l->out, fd);
    l->place.fd = fd;
    close(old);
    if (another && l != &logs->error)
        begin(logs, l);
    return 1;
}

void open_logs_reopen(struct open_logs *logs)
{
    u32 n = reopen_one(logs, &logs->error);
    for (u32 i = 0; i < logs->naccess; i++)
        n += reopen_one(logs, &logs->access[i]);
    open_logs_tell(logs, LEVEL_INFO, "log files opened again: %u", n);
}

void open_logs_init(struct open_logs *logs, struct stats *stats)
{
    *logs = (struct open_logs){ .stats = stats };
    open_log(logs, &logs->error, &(struct log_place){ .to = LOG_NONE, .fd = -1 });
}

void open_logs_free(struct open_logs *logs)
{
    for (u32 i = 0; i < logs->naccess; i++)
        close_log(&logs->access[i]);
    close_log(&logs->error);
}

/* ---- what is lost ---- */

/* On stderr, unless that is what cannot be written, or is a pipe that nobody reads. */
static void complain(const struct log_output *o, struct slice line)
{
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (o->fd != STDERR_FILENO && poll(&p, 1, 0) > 0)
        (void)!write(STDERR_FILENO, line.p, line.n);
}

static void report_unwritten(struct open_logs *logs, struct log *l, bool last)
{
    char area[400];
    struct text line = text_in(area, sizeof area);
    struct log_output *o = &l->out;
    bool named = l != &logs->error && logs->naccess > 1;
    u64 now = clock_us(CLOCK_MONOTONIC) / 1000;
    if (o->unwritten == 0 || (now < o->tell_ms && !last))
        return;
    text_fmt(&line, "proxyd: the %s log%s%.100s cannot be written: %s: %llu lines lost\n",
             l == &logs->error ? "error" : "access", named ? " " : "", named ? o->name : "",
             strerror(o->why), (unsigned long long)o->unwritten);
    o->unwritten = 0;
    o->tell_ms = now + TELL_AGAIN_MS;
    if (l == &logs->error) {
        complain(o, text_slice(&line));
        return;
    }
    text_add(&logs->error.out.text, text_slice(&line));
    log_output_flush(&logs->error.out);
}

void open_logs_report_lost(struct open_logs *logs, u64 n)
{
    text_fmt(&logs->error.out.text, "proxyd: the log writer fell behind: %llu lines lost\n",
             (unsigned long long)n);
}

/* ---- what is written ---- */

void open_logs_format(struct open_logs *logs, struct slice record)
{
    const struct log_head *h = (const void *)record.p;
    if (h->kind == LOG_ERROR) {
        make_room(&logs->error);
        log_format_error(&logs->error.out.text, &logs->clock, (const void *)record.p);
        return;
    }
    for (u32 i = 0; i < logs->naccess; i++) {
        struct log *l = &logs->access[i];
        if (l->out.fd < 0)
            continue;
        make_room(l);
        if (unlikely(!l->begun))
            begin(logs, l);
        log_format_access(&l->out.text, &logs->clock, &l->place.style, (const void *)record.p);
    }
}

void open_logs_flush(struct open_logs *logs, bool last)
{
    for (u32 i = 0; i < logs->naccess; i++)
        flush(&logs->access[i]);
    flush(&logs->error);
    for (u32 i = 0; i < logs->naccess; i++)
        report_unwritten(logs, &logs->access[i], last);
    report_unwritten(logs, &logs->error, last);
}

bool open_logs_unfinished(const struct open_logs *logs)
{
    bool any = logs->error.out.unfinished > 0;
    for (u32 i = 0; i < logs->naccess; i++)
        any |= logs->access[i].out.unfinished > 0;
    return any;
}
