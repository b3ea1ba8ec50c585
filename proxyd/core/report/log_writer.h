/*
 * The thread that writes the logs: it drains every worker's ring, formats the records and hands
 * them to the kernel in large pieces. A worker never waits for it: a full ring drops and counts.
 */
#ifndef CORE_LOG_WRITER_H
#define CORE_LOG_WRITER_H

#include "base/ring.h"
#include "core/types.h"

struct log_writer;

/* access_fd and error_fd: where to, or -1 for nowhere; they stay the caller's. */
struct log_writer *log_writer_new(int access_fd, int error_fd, u32 nrings);
struct ring *log_writer_ring(struct log_writer *w, u32 i);
void log_writer_start(struct log_writer *w);
/* From a worker that has published: wakes a sleeping writer; urgent when the ring is half full. */
void log_writer_wake(struct log_writer *w, bool urgent);
/* Writes what is left and ends the thread. */
void log_writer_stop(struct log_writer *w);

#endif
