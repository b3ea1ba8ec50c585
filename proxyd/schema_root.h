/* The whole configuration: the one table that names every module, and how a file becomes a tree. */
#ifndef PROXYD_SCHEMA_ROOT_H
#define PROXYD_SCHEMA_ROOT_H

#include "config/schema.h"

extern const struct schema_row root_rows[];

/* Everything that can be found wrong without a network, a free port or root: schema, references,
 * the checks of every module, addresses used twice. */
bool root_check(struct tree *t, struct diags *d);

/* Loads and checks a file, "-" for standard input, NULL for the built-in configuration. True: no
 * error, though perhaps warnings; *t is then ready for conf_read and the others. *t is always
 * initialised and to be freed with config_free, after diags_print. */
bool config_open(const char *path_or_null, struct tree *t, struct diags *d);

/* The text of the built-in configuration. */
extern const char default_conf[];

#endif
