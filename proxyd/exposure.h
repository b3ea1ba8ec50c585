/* Who can reach what a configuration opens: warnings about listeners. */
#ifndef EXPOSURE_H
#define EXPOSURE_H

#include "config/diag.h"
#include "config/tree.h"

/* A public listener that nobody can use or everybody can, an admin listener that others can read.
 * For a tree without errors. */
void exposure_check(const struct node *root, struct diags *d);

#endif
