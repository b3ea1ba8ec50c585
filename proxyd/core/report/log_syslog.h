/* Lines to the system's log: one datagram each, in the form of RFC 3164 that libc sends. */
#ifndef CORE_LOG_SYSLOG_H
#define CORE_LOG_SYSLOG_H

#include "base/slice.h"

/* A socket connected to that path; -1 with errno. */
int log_syslog_open(const char *path);
/* One line without its newline. A receiver that has gone away and come back (a restart of syslogd)
 * is found again. One that is slow makes the calling thread wait for so long. False with errno:
 * lost; EAGAIN: it takes no more. */
bool log_syslog_send(int fd, const char *path, struct slice line, int wait_ms);

#endif
