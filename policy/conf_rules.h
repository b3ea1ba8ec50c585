/* The block `rules { … }` of a policy, for the block around it (conf.c). */
#ifndef POLICY_CONF_RULES_H
#define POLICY_CONF_RULES_H

#include <stdio.h>

#include "config/schema.h"

/* What may stand in it: allow, deny, redirect. */
extern const struct schema_row rules_rows[];

/* The reader of the block, into a struct policy whose `at` is known; it also sets there what some
 * rule does (judges, edits, steers the cache, leads through a parent). */
void policy_read_rules(const struct schema_row *row, const struct node *rules, struct arena *a,
                       void *to);
/* What the manual has to say of it: the classes of addresses, the values of pages. */
void policy_put_manual(FILE *to);

#endif
