/*
 * The places that the logs of one configuration go to, opened: by who starts or reloads, never by a
 * worker, and before anything changes, so that a file that cannot be opened changes nothing. The
 * writer takes it over (log_writer.h).
 */
#ifndef CORE_LOG_SET_H
#define CORE_LOG_SET_H

#include "base/text.h"
#include "core/conf.h"

struct log_place {
    enum log_to to;
    char *path; /* of a file or a socket; NULL */
    int fd;     /* -1: nowhere */
    struct log_style style;
};

struct log_set {
    struct log_place access[CONF_LOGS], error;
    u32 naccess;
    u8 error_level;
    int (*open_file)(const char *path); /* as open(2); for files that are to be opened again */
};

/* NULL, and why, when one cannot be opened. */
struct log_set *log_set_open(const struct conf *c, int (*open_file)(const char *path),
                             struct text *why);
/* Closes what is still in it, but stdout and stderr. */
void log_set_free(struct log_set *s);

/* Closes one that is a descriptor of its own, and frees its path. */
void log_place_close(struct log_place *p);
/* "stdout", "stderr", "syslog", or the path. */
const char *log_place_name(const struct log_place *p);

#endif
