/* The listening sockets: one per worker and address, and who serves what is accepted. */
#ifndef PROXYD_LISTEN_H
#define PROXYD_LISTEN_H

#include "base/text.h"
#include "core/listener.h"
#include "core/worker.h"

/* Opens all sockets for all workers; on failure `error` says which address and why. Control
 * thread, before the workers run. */
bool listen_open(struct engine *e, struct text *error);
/* Registers worker w's sockets with its loop. */
void listen_start(struct worker *w);
/* Accepts what is in the queues once more and closes them. */
void listen_stop(struct worker *w);
/* TIMER_ACCEPT: tries again after a pause. */
void listen_resume(struct timer *t);

#endif
