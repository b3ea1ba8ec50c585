/*
 * What the service manager is told (sd_notify(3), the protocol of systemd and of who speaks it): a
 * datagram of lines to the socket that NOTIFY_SOCKET names. Without that variable nothing is sent.
 * Nobody is asked whether it arrived: a manager that does not read is no reason to stop serving.
 */
#ifndef PROXYD_NOTIFY_H
#define PROXYD_NOTIFY_H

#include "base/types.h"

/* Finds the socket. Once, before any thread is started; the others may be called from any thread,
 * and wait for a second at most. */
void notify_open(void);
/* Serving, also after a reload, whatever that came to. */
void notify_ready(void);
/* A reload has begun. */
void notify_reloading(void);
/* One line for people, in `systemctl status`. */
void notify_status(const char *line);
/* The end has begun and may take so many ms; UINT32_MAX: as long as the manager allows. */
void notify_stopping(u32 most_ms);
/* Still alive (watchdog.h). */
void notify_alive(void);

#endif
