/*
 * How a new configuration comes into force: it is published, each worker is sent a call, and adopts
 * it at the beginning of its next turn. Whoever keeps something on each worker that depends on the
 * configuration has a line in adopt.c.
 */
#ifndef CORE_ADOPT_H
#define CORE_ADOPT_H

#include "core/common/snapshot.h"

/* In place of the one before: every worker that runs will adopt it. The caller's hold goes to the
 * engine, which lets go of the one before. `opened` is NULL or has, for each worker, what its
 * accepting.change gets. Control thread. */
void adopt_publish(struct engine *e, struct snapshot *s, void *const *opened);
/* Have all workers adopted what was published? Control thread. */
bool adopt_done(const struct engine *e);

/* A new worker begins with the newest. Control thread. */
void adopt_first(struct worker *w);
/* The newest one now, though the call that says so is still on its way: for a client on an address
 * that this worker does not know yet. On its thread. */
void adopt_newest(struct worker *w);

#endif
