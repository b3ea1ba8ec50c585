/* The `pac NAME { … }` block: its part of the schema and its checks. */
#ifndef PAC_CONF_H
#define PAC_CONF_H

#include "config/schema.h"

enum { PAC_MAX_AGE = 300 }; /* seconds, unless the block says another one */

extern const struct schema_row pac_rows[];

/* Of the block itself: what does not go together; a file is read and tried. */
void pac_check(const struct node *n, struct diags *d);
/* What types cannot say about `pac` and `policy` together, for each listener that has both;
 * warnings, on a tree without errors. */
void pac_check_listeners(const struct node *root, struct diags *d);

/* A script's file, in the arena. NULL: it is in *out; else why not, and *out is empty. Blocks. */
const char *pac_file_read(const char *path, struct arena *a, struct slice *out);

#endif
