/* What the process says of itself to whoever has started it. */
#ifndef PROXYD_ANNOUNCE_H
#define PROXYD_ANNOUNCE_H

#include "process.h"

/* Where it listens and how to try it, on standard error. */
void announce(const struct process *p);
/* To the service manager, when it has changed: does it serve, or why not? */
void announce_status(struct process *p);

#endif
