/*
 * The block `test "WHAT IT SHOWS" { … }`: a request, and what the policy has to say about it.
 * `check` and `proxyd test` run them (cases.h); the process that serves does not look at them.
 */
#ifndef PROXYD_CASE_CONF_H
#define PROXYD_CASE_CONF_H

#include "config/schema.h"

extern const struct schema_row case_rows[];

/* Of the block. */
void case_check(const struct node *n, struct diags *d);

#endif
