/* Records as lines for people. */
#ifndef CORE_LOG_FORMAT_H
#define CORE_LOG_FORMAT_H

#include "core/report/logrec.h"

/* Room for any line: every byte of a string may become four. */
enum { LOG_LINE = 16 * 1024 };

/* The calendar part of a time stamp, remembered: consecutive records share their second. */
struct log_clock {
    u64 second;
    char text[19]; /* 2026-11-23T07:00:00 */
};

void log_format_access(struct text *t, struct log_clock *c, const struct access_record *r);
void log_format_error(struct text *t, struct log_clock *c, const struct error_record *r);

#endif
