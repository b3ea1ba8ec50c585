/* Runs the `test` blocks of a configuration, and finds the rules that none of them reaches. */
#ifndef PROXYD_CASES_H
#define PROXYD_CASES_H

#include <stdio.h>

#include "config/diag.h"
#include "config/tree.h"

struct cases {
    u32 run, failed;
    u32 unreached; /* rules of the policies that are asked */
};

/* Has the configuration any? */
bool cases_any(const struct tree *t);
/* On a tree that was checked without errors. What fails becomes an error at its `expect`, `cause`
 * or `shadow`. Its lists are loaded for it. unreached (NULL: nowhere) gets a line for each rule
 * that no test reaches; rules about answers are not meant by tests, and not told of. */
struct cases cases_run(const struct tree *t, struct diags *d, FILE *unreached);

#endif
