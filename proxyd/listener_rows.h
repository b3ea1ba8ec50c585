/* The schema of `listener NAME { … }`; its readers are listener_conf.c's. */
#ifndef PROXYD_LISTENER_ROWS_H
#define PROXYD_LISTENER_ROWS_H

#include "config/schema.h"

/* What may stand in the block, into a struct listener_conf; its own row names listener_check as
 * .check. */
extern const struct schema_row listener_rows[];

/* Keys that do not go with the listener's mode, and those that the mode needs. */
void listener_check(const struct node *n, struct diags *d);

#endif
