/* What `proxyd check` and `proxyd lists` do with lists: they load them themselves, as the proxy
 * would. */
#ifndef PROXYD_LIST_CHECK_H
#define PROXYD_LIST_CHECK_H

#include <stdio.h>

#include "config/diag.h"

/* Loads each list that a rule asks. An error where one cannot be loaded (a warning when it is
 * optional), warnings where a rule asks for a category that is not there, where an entry is a whole
 * top-level domain and where a list is inside another one that the same rule asks. `say` gets what
 * was decided about each. t was checked without errors. */
void lists_check(const struct tree *t, struct diags *d, FILE *say);

/* `proxyd lists show`, and with a host or URL `proxyd lists find`. False: not all could be loaded,
 * or nothing was found. */
bool lists_show(const struct tree *t, FILE *to);
bool lists_find(const struct tree *t, const char *what, FILE *to);

#endif
