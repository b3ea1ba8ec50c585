/* Inside of config/: punctuation that was forgotten, told once and put in its place. */
#ifndef CONFIG_SCHEMA_REPAIR_H
#define CONFIG_SCHEMA_REPAIR_H

#include "config/schema.h"

/* A word that is a key of this place, and begins a line or is one more than the statement takes,
 * begins the next statement: the one before was not ended. Tells so and cuts n there, so that all
 * parts can be checked. */
void schema_repair_statement(struct tree *t, struct node *n, const struct schema_row *rows,
                             struct diags *d);

#endif
