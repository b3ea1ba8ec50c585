/*
 * The logs that are open: the access logs and the error log of the configuration in force, each
 * with its place, its format and the lines that are still to be written there. For the log writer
 * alone, on its thread (log_writer.h).
 *
 * The one hard thing is that a log outlives its place: a reload gives another set, a rotation
 * another file of the same name, and a line that stands half in a file has to be finished in that
 * one. A log whose place both sets have therefore goes on as it is (log_output.h); what its file
 * begins with is written anew only where the file is another one, or where it may have been lost.
 */
#ifndef CORE_OPEN_LOGS_H
#define CORE_OPEN_LOGS_H

#include "core/report/log_format.h"
#include "core/report/log_output.h"
#include "core/report/log_set.h"

struct log {
    struct log_place place;
    struct log_output out;
    bool begun; /* what a file of its format begins with has been written */
};

struct open_logs {
    struct log access[CONF_LOGS], error;
    u32 naccess;
    u8 error_level;
    int (*open_file)(const char *path);
    struct stats *stats;
    struct log_clock clock;
};

/* None is open yet. stats: where lost and torn lines are counted; it stays the caller's. */
void open_logs_init(struct open_logs *logs, struct stats *stats);
/* Writes what is left, and closes them. */
void open_logs_free(struct open_logs *logs);
/* From now on those of s; what is in it belongs to the logs then, and it is freed. Those that it
 * has no more are written out and closed. */
void open_logs_adopt(struct open_logs *logs, struct log_set *s);
/* Opens the files by their names again; one that cannot be opened goes on in the old file. Blocks
 * on the disk. */
void open_logs_reopen(struct open_logs *logs);

/* Formats a record of a ring (logrec.h) for every log that wants it. Writes what stood there before
 * where there is no room for a line. */
void open_logs_format(struct open_logs *logs, struct slice record);
/* A line of the proxy's own in the error log, if its level asks for it; at most 511 bytes. */
void open_logs_tell(struct open_logs *logs, enum log_level level, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Tells in the error log that so many lines never reached the logs. */
void open_logs_report_lost(struct open_logs *logs, u64 n);
/* Writes all lines. Losses of an access log are reported in the error log, those of the error log
 * on stderr: the first time, at the end (last), and now and then in between. */
void open_logs_flush(struct open_logs *logs, bool last);
/* Does a line stand half in its file? */
bool open_logs_unfinished(const struct open_logs *logs);

#endif
