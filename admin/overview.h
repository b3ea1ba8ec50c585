/*
 * The page that an administrator sees at `/`: state, the last hour as curves, listeners, caches,
 * what has saved most, what failed, lists. No script and nothing from elsewhere; it shows what
 * peers have sent, so every text is escaped, and its policy lets a browser use its one style alone.
 */
#ifndef ADMIN_OVERVIEW_H
#define ADMIN_OVERVIEW_H

#include "admin/view.h"

/* malloc'd, *n bytes; v->to is free to be used. */
char *overview_write(struct view *v, size_t *n);
/* The value of Content-Security-Policy, for all of its answers. */
const char *overview_policy(void);

#endif
