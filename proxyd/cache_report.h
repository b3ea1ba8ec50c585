/* What `proxyd cache` asks the running proxy for: what caches hold, and taking something out. */
#ifndef PROXYD_CACHE_REPORT_H
#define PROXYD_CACHE_REPORT_H

#include "core/common/registry.h"

/* `question`: "stat", "show URL", "why METHOD URL", or "purge", perhaps "--soft", and "URL",
 * "--prefix URL", "--tag TAG" or "--all". The HTTP status, and malloc'd lines in *text. Any thread
 * that may block. */
unsigned cache_report(struct registry *r, struct slice question, char **text);

#endif
