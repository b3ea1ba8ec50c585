/* Inside of config/: which row a statement means, and what to say when it means none. */
#ifndef CONFIG_SCHEMA_KEY_H
#define CONFIG_SCHEMA_KEY_H

#include "config/schema.h"

/* The row whose key n begins with, or NULL. */
const struct schema_row *schema_row_of(const struct schema_row *rows, const struct node *n);
/* Is this the first word of a key? */
bool schema_is_key(const struct schema_row *rows, struct slice word);
/* The row that n, which has none, was probably meant for, or NULL. */
const struct schema_row *schema_meant(const struct schema_row *rows, const struct node *n);
/* Tells that n is none of `rows`; `top` are those of the top level, where it may be known. */
void schema_unknown_key(const struct node *n, const struct schema_row *rows,
                        const struct schema_row *top, struct diags *d);

#endif
