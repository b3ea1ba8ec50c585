#include "core/report/log_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "core/report/log_syslog.h"

static int open_place(const struct log_set *s, const struct log_place *p)
{
    switch (p->to) {
    case LOG_STDOUT: return STDOUT_FILENO;
    case LOG_STDERR: return STDERR_FILENO;
    case LOG_PATH: return s->open_file(p->path);
    case LOG_SYSLOG: return log_syslog_open(p->path);
    default: return -1;
    }
}

static bool open_one(const struct log_set *s, const struct log_conf *c, struct log_place *p,
                     struct text *why)
{
    *p = (struct log_place){ .to = c->to, .style = c->style };
    if (c->path)
        must((p->path = strdup(c->path)) != NULL);
    p->fd = open_place(s, p);
    if (p->fd >= 0 || c->to == LOG_NONE)
        return true;
    text_fmt(why, "cannot open the log %s: %s", p->path,
             errno == ENXIO ? "nobody reads from it" : strerror(errno));
    return false;
}

struct log_set *log_set_open(const struct conf *c, int (*open_file)(const char *path),
                             struct text *why)
{
    struct log_set *s = must_zalloc(sizeof *s);
    s->open_file = open_file;
    s->error_level = c->error.level;
    s->error.fd = -1;
    bool good = open_one(s, &c->error, &s->error, why);
    while (good && s->naccess < c->naccess) {
        good = open_one(s, &c->access[s->naccess], &s->access[s->naccess], why);
        s->naccess++;
    }
    if (good)
        return s;
    log_set_free(s);
    return NULL;
}

void log_place_close(struct log_place *p)
{
    if (p->fd >= 0 && (p->to == LOG_PATH || p->to == LOG_SYSLOG))
        close(p->fd);
    p->fd = -1;
    free(p->path);
    p->path = NULL;
}

void log_set_free(struct log_set *s)
{
    if (s == NULL)
        return;
    log_place_close(&s->error);
    for (u32 i = 0; i < s->naccess; i++)
        log_place_close(&s->access[i]);
    free(s);
}

const char *log_place_name(const struct log_place *p)
{
    return p->to == LOG_STDOUT   ? "stdout"
           : p->to == LOG_STDERR ? "stderr"
           : p->to == LOG_SYSLOG ? "syslog"
           : p->path             ? p->path
                                 : "none";
}
