/* The tables of the page; each writes a heading and its rows into v->to, or nothing where there is
 * nothing to tell. */
#ifndef ADMIN_OVERVIEW_TABLES_H
#define ADMIN_OVERVIEW_TABLES_H

#include "admin/view.h"

void overview_listeners(struct view *v);
void overview_caches(struct view *v);
void overview_top(struct view *v);
void overview_failures(struct view *v);
void overview_lists(struct view *v);

#endif
