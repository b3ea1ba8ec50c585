/* The control thread once everything runs: signals, and the end. */
#ifndef PROXYD_SERVING_H
#define PROXYD_SERVING_H

#include <signal.h>

#include "process.h"

/* Until a signal asks for the end and the workers have drained. True: one has asked for the end at
 * once. */
bool serve_signals(struct process *p, const sigset_t *set);
/* Then: ends all threads and frees what there is. It may end the process itself, when a thread
 * hangs on a file. */
void dismantle(struct process *p, const sigset_t *set, bool hurry);

#endif
