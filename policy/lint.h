/* What `check` says about rules that are right and still not what was meant: warnings, on a policy
 * without errors. */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include "config/schema.h"
#include "policy/rule.h"

/* Conditions of one rule that exclude each other: to a; to b; */
void lint_exclusive(const struct node *rule, struct diags *d);
/* Ports that are refused before any rule. */
void lint_ports(const struct node *rule, const struct policy *p, struct diags *d);
/* Rules of which an earlier one takes everything. */
void lint_covered(const struct node *rules, struct diags *d);
/* Regular expressions. *budget: so many are still measured, some milliseconds each. */
enum { PATTERNS_MEASURED = 64 };
void lint_patterns(const struct node *rule, u32 *budget, struct diags *d);

#endif
