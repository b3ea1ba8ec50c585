/* A worker's way to the log writer: records into its ring, which never waits, and lines for the
 * error log. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/report/logrec.h"
#include "core/worker.h"

/* n bytes for a record; NULL when the ring is full: the record is lost, and counted. */
void *log_reserve(struct worker *w, u32 n);
/* What was reserved is written; the writer is woken at the end of the turn. */
void log_publish(struct worker *w, u32 n);
/* A line for the error log, formatted, from a worker's thread; dropped when the ring is full. */
void log_error(struct worker *w, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Is a line about this due? A condition that lasts gets one every ten seconds, not one for each
 * time it is met. */
bool log_limited(struct worker *w, enum limited what);

#endif
