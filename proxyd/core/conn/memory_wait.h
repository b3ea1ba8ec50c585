/*
 * The line of connections that found no buffer. Whoever stands in it is called again through its
 * user's `ready`, as for any event, so nobody who waits needs a second way back.
 */
#ifndef CORE_MEMORY_WAIT_H
#define CORE_MEMORY_WAIT_H

#include "core/conn/conn.h"

/* Over the memory budget: c is ready again when buffers may have come back. */
void memory_wait(struct worker *w, struct conn *c);
/* Does anybody wait? */
bool memory_awaited(const struct worker *w);
/* TIMER_MEMORY. */
void memory_wait_expired(struct timer *t);

#endif
