/*
 * Where the lines of one log go. The hard thing is a write that takes half a line, as on a disk
 * that is full: the rest of that line is kept and written first once there is room, so that no
 * other line is ever glued to it. Whole lines behind it are dropped and counted.
 */
#ifndef CORE_LOG_OUTPUT_H
#define CORE_LOG_OUTPUT_H

#include <sys/types.h>

#include "base/stat.h"
#include "base/text.h"
#include "core/report/log_counts.h"

struct log_output {
    const char *name;
    int fd; /* -1: nowhere */
    struct text text;
    /* So many bytes at the start of text finish the line that the file ends in. */
    size_t unfinished;
    off_t size;         /* of the file then */
    const char *socket; /* fd is a datagram socket of syslog, at this path; NULL: it is none */
    bool stands;        /* that socket took no line when it was waited for */
    struct stats *stats;
    struct log_counts *counts;
    u64 unwritten; /* lines lost since the last report of it */
    int why;       /* errno */
    u64 tell_ms;   /* no further report before */
};

/* name: for messages and counters; it stays the caller's, as fd does. stats: where lost and torn
 * lines are counted. A file that ends in the middle of a line, as after a crash, gets the newline
 * it lacks. */
struct log_output log_output_new(const char *name, int fd, struct stats *stats);
/* Frees the text, and what is in it is lost; fd stays open. */
void log_output_free(struct log_output *o);
/* Writes the lines in text and empties it but for what is unfinished. A pipe that is full makes the
 * calling thread wait and nobody else; a syslog for a second. */
void log_output_flush(struct log_output *o);

/* Goes on in fd: where that is another file, the old one gets what is still to be written, and a
 * line that it cannot take the end of is torn. True: it is another one. */
bool log_output_go_on(struct log_output *o, int fd);

#endif
