/* Inside of config/: punctuation that was forgotten, reported once and put in its place. */
#ifndef CONFIG_SCHEMA_REPAIR_H
#define CONFIG_SCHEMA_REPAIR_H

#include "config/schema.h"

/* A word that is a key of this place, and begins a line or is one more than the statement takes,
 * begins the next statement: the one before was not ended. Tells so and cuts n there, so that all
 * parts can be checked. */
void schema_repair_statement(struct tree *t, struct node *n, const struct schema_row *rows,
                             struct diags *d);

/* In a block of `parent` whose closing brace never came, a block that begins a line and is known to
 * `rows`, those of the parent, but not where it stands, shows where the brace is missing. Tells so
 * and moves that block, and all that follows it, to the parent. Also tells of the open blocks where
 * nothing shows it. */
void schema_repair_blocks(struct node *parent, const struct schema_row *rows, struct diags *d);

#endif
