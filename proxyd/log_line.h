/*
 * One line of an access log in the format json, as a request that can be asked again. Lines are
 * hostile: a log was filled by clients, may be cut off, and may be of another program.
 */
#ifndef PROXYD_LOG_LINE_H
#define PROXYD_LOG_LINE_H

#include <jansson.h>

#include "base/addr.h"

enum { LOG_LINE_MOST = 64 << 10 }; /* longer ones are not read */

enum log_line_is {
    LOG_LINE_REQUEST,
    LOG_LINE_BROKEN, /* no JSON object, or one of another kind */
    /* One that is no request of a client that could be asked again: the proxy's own, or a head that
     * was not read. */
    LOG_LINE_OTHER,
};

struct log_line {
    json_t *json;                        /* holds the texts */
    struct slice listener, method, user; /* user: n 0 when there is none */
    char target[LOG_LINE_MOST];          /* with the query, where the log has it */
    size_t target_n;
    struct addr client, server; /* server: family 0 when there is none */
    u64 at_s;
};

/* When it gives LOG_LINE_REQUEST, log_line_end is to follow; else there is nothing to end. */
enum log_line_is log_line_read(struct slice line, struct log_line *out);
void log_line_end(struct log_line *l);

#endif
