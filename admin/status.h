/*
 * /status: what runs and how the lists are, for people who look after them. JSON, or the same as a
 * page for browsers. What metrics count is not repeated.
 */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include <stddef.h>

#include "base/types.h"

/* malloc'd, *n bytes. `why`: the reason when it is not ready. Any thread that may block. */
char *status_json(bool ready, const char *why, size_t *n);
char *status_html(bool ready, const char *why, size_t *n);

#endif
