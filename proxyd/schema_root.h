/* The whole configuration: the one table that names every module, and how a file becomes a tree. */
#ifndef PROXYD_SCHEMA_ROOT_H
#define PROXYD_SCHEMA_ROOT_H

#include "admin/conf.h"
#include "config/schema.h"
#include "engine_conf.h"
#include "user.h"

extern const struct schema_row root_rows[];

/* Everything that can be found wrong without a network, a free port or root: schema, references,
 * the checks of every module, addresses used twice. */
bool root_check(struct tree *t, struct diags *d);

/* All that a tree says, as structs; their texts are in the arena that they were read into. */
struct root_conf {
    struct conf engine;
    struct listener_conf *listeners;
    u32 nlisteners; /* at least 1 */
    struct admin_conf admin;
    struct user_conf user;
    const char *state;   /* folder for what outlives the process; "": none; NULL: the default */
    const char *control; /* path of the control socket; "": none wanted; NULL: the default */
};
/* The tree must have been checked without errors. */
struct root_conf root_read(const struct tree *t, struct arena *a);

/* Loads and checks a file, "-" for standard input, NULL for the built-in configuration. True: no
 * error, though perhaps warnings; *t is then ready for root_read. *t is always
 * initialised and to be freed with config_free, after diags_print. */
bool config_open(const char *path_or_null, struct tree *t, struct diags *d);

/* The text of the built-in configuration. */
extern const char default_conf[];

#endif
