/* The part of /metrics that tells of the disks of caches. */
#ifndef ADMIN_METRICS_DISKS_H
#define ADMIN_METRICS_DISKS_H

#include "base/text.h"
#include "core/worker.h"

/* Appends their families; nothing where no cache has a disk. Any thread. */
void metrics_disks(struct text *out, struct engine *e);

#endif
