/* What `proxyd cache` asks the running proxy for: what caches hold, and taking something out. */
#ifndef PROXYD_CACHE_REPORT_H
#define PROXYD_CACHE_REPORT_H

#include "core/common/registry.h"

/* `question`: "stat", "verify", "show URL", "why METHOD URL", behind which fields of the
 * request may stand, each in a line of its own, or "purge", perhaps "--soft", and
 * "URL", "--prefix URL", "--tag TAG" or "--all". The HTTP status, and malloc'd lines in *text. Any
 * thread that may block. */
unsigned cache_report(struct registry *r, struct slice question, char **text);
/* The process ends: a "verify", which may take minutes, comes to its end. */
void cache_report_end(void);

#endif
