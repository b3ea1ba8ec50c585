/* Worker threads: made, run, drained, joined. */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include "core/worker.h"

/* Makes worker `id` of e; NULL when the kernel refuses its descriptors. */
struct worker *worker_new(struct engine *e, u32 id);
/* Starts its thread. */
void worker_start(struct worker *w);
/* From the control thread: DRAIN_GRACEFUL or DRAIN_NOW. */
void worker_drain(struct worker *w, enum drain_state how);
/* Waits for the thread; the worker must be drained. */
void worker_join(struct worker *w);
/* Frees everything of a worker, when all of them are joined: each may wake any other to its end. */
void worker_free(struct worker *w);
/* The worker's part of `limits memory` is that of the configuration it has just adopted. */
void thread_adopt_memory(struct worker *w, struct snapshot *old);

#endif
