/*
 * A worker that hangs hangs for all its clients, and no other thread can help them: then the
 * service manager shall start the process again. It is told that all is well (WATCHDOG=1) only as
 * long as every worker's loop turns: a call is posted to each, and the next one when that has run,
 * so a loop that turns pays for two calls in a period, and none without a watchdog.
 */
#ifndef PROXYD_WATCHDOG_H
#define PROXYD_WATCHDOG_H

#include "core/worker.h"

struct watchdog;

/* NULL: the manager does not want to know (WATCHDOG_USEC, WATCHDOG_PID). The main thread's. */
struct watchdog *watchdog_new(struct engine *e);
/* How often, in ms, it has to be called at least; UINT32_MAX for NULL. */
u32 watchdog_ms(const struct watchdog *w);
/* Looks at the workers and tells the manager. NULL is fine. */
void watchdog_tick(struct watchdog *w);
/* After worker_free of all. NULL is fine. */
void watchdog_free(struct watchdog *w);

#endif
