/*
 * /metrics: every counter of base/stat.tbl and base/fault.tbl in the text format of Prometheus
 * (version 0.0.4), and what its dashboards expect of any process. Labels are bounded: no URL, host,
 * user or client address ever becomes one; rules do, as many as the configuration has.
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include "base/text.h"
#include "core/worker.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { METRICS_MAX = 64 << 10 }; /* about 13 kB are used, without rules, parents and listeners */
/* What is enough for all that the configuration has. */
size_t metrics_room(struct engine *e);

/* Appends the whole exposition; any thread. Reads a few files of /proc: for scrapes, not for the
 * data path. */
void metrics_write(struct text *out, bool ready, struct engine *e);

#endif
