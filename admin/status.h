/*
 * /status: what runs, what it serves and keeps, the last hour, and how the lists are, as JSON for
 * programs; overview.h has the same for people.
 */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "admin/view.h"

/* malloc'd, *n bytes; v->to is free to be used. */
char *status_write(struct view *v, size_t *n);

#endif
