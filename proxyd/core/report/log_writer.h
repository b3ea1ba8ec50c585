/*
 * The thread that writes the logs: it drains every worker's ring, formats each record for every log
 * that wants it, and hands the lines to the kernel in large pieces. A worker never waits for it: a
 * full ring drops and counts.
 */
#ifndef CORE_LOG_WRITER_H
#define CORE_LOG_WRITER_H

#include "base/ring.h"
#include "core/report/log_set.h"
#include "core/types.h"

struct log_writer;

/* set: where to; it becomes the writer's. NULL: nowhere. */
struct log_writer *log_writer_new(struct log_set *set, u32 nrings);
/* The i-th of its rings, which one worker fills. */
struct ring *log_writer_ring(struct log_writer *w, u32 i);
/* Starts its thread; once. */
void log_writer_start(struct log_writer *w);
/* From a worker that has published: wakes a sleeping writer; urgent when the ring is half full. */
void log_writer_wake(struct log_writer *w, bool urgent);
/* From now on there; set becomes the writer's. A log that both have goes on in its file, with a
 * line that stands half in it. Any thread; waits for nothing. */
void log_writer_change(struct log_writer *w, struct log_set *set);
/* Opens the files by their names again: they have been renamed. Any thread; waits for nothing. */
void log_writer_reopen(struct log_writer *w);
/* A line for the error log, if its level asks for it; copied. Any thread but a worker, whose way is
 * its ring (log_error); waits for nothing. */
void log_writer_tell(struct log_writer *w, enum log_level level, const char *text);
/* Writes what is left and ends the thread. */
void log_writer_stop(struct log_writer *w);

#endif
