#include "core/report/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/common/snapshot.h"

enum { TELL_AGAIN_MS = 10000 };

void *log_reserve(struct worker *w, u32 n)
{
    void *p = ring_reserve(w->log, n);
    if (unlikely(p == NULL))
        stat_add(w->stats, STAT_log_lines_lost_total, 1);
    return p;
}

void log_publish(struct worker *w, u32 n)
{
    ring_commit(w->log, n);
    w->log_pending = true;
    if (ring_backlog(w->log) > w->log->size / 2)
        w->log_urgent = true;
}

bool log_limited(struct worker *w, enum limited what)
{
    u64 now = worker_ms(w);
    if (w->limited_ms[what] && now - w->limited_ms[what] < TELL_AGAIN_MS)
        return false;
    w->limited_ms[what] = now;
    return true;
}

void log_error(struct worker *w, enum log_level level, const char *fmt, ...)
{
    char line[512];
    if (w->log == NULL || w->snapshot->conf.error.to == LOG_NONE ||
        level > w->snapshot->conf.error.level)
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    u16 len = (u16)((size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    struct error_record *r = log_reserve(w, (u32)sizeof *r + len);
    if (r == NULL)
        return;
    memset(r, 0, sizeof *r);
    r->head.kind = LOG_ERROR;
    r->head.level = (u8)level;
    r->head.length[0] = len;
    r->head.wall_us = w->loop.now.wall_us;
    memcpy(r + 1, line, len);
    log_publish(w, (u32)sizeof *r + len);
}
