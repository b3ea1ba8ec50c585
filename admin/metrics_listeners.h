/* The part of /metrics that tells what caches hold and what listeners serve. */
#ifndef ADMIN_METRICS_LISTENERS_H
#define ADMIN_METRICS_LISTENERS_H

#include "base/text.h"
#include "core/worker.h"

/* Appends what requests were to caches, and what each cache holds. Any thread. */
void metrics_caches(struct text *out, struct engine *e);
/* Appends what listeners serve. Any thread. */
void metrics_listeners(struct text *out, struct engine *e);
/* Bytes that metrics_listeners needs at most. */
size_t metrics_listeners_room(struct engine *e);

#endif
