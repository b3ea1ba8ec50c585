/* The listening sockets: one per worker and address, and who serves what is accepted. */
#ifndef PROXYD_LISTEN_H
#define PROXYD_LISTEN_H

#include "base/text.h"
#include "core/common/snapshot.h"
#include "core/worker.h"

/* Opens what s names and old (NULL: nothing) does not, for each worker. opened[id] is what that
 * worker has to take over (listen_prepare, listen_change), NULL before the call. On failure nothing
 * stays open and `error` says which address and why. Control thread. */
bool listen_open(struct engine *e, const struct snapshot *s, const struct snapshot *old,
                 void **opened, struct text *error);
/* Gives a worker that does not run yet its first sockets. */
void listen_prepare(struct worker *w, void *opened);
/* Registers worker w's sockets with its loop. */
void listen_start(struct worker *w);
/* accepting.change. What waits at an address that is given up is accepted first. */
void listen_change(struct worker *w, const struct snapshot *next, void *opened);
/* Accepts what is in the queues once more and closes them. */
void listen_stop(struct worker *w);
/* TIMER_ACCEPT: tries again after a pause. */
void listen_resume(struct timer *t);

#endif
