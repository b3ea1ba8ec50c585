/* The tables of the page; each writes a heading and its rows into v->to, or nothing where there is
 * nothing to tell. */
#ifndef ADMIN_OVERVIEW_TABLES_H
#define ADMIN_OVERVIEW_TABLES_H

#include "admin/view.h"

/* A row for each listener of the configuration in force. */
void overview_listeners(struct view *v);
/* A row for each cache. */
void overview_caches(struct view *v);
/* What has saved most (cache/top.h). */
void overview_top(struct view *v);
/* Faults of the time that the view reaches back, the most frequent first. */
void overview_failures(struct view *v);
/* The lists of the configuration: how many entries, of when, and what is wrong. */
void overview_lists(struct view *v);

#endif
