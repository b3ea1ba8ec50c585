/* From the configuration tree to core/conf.h, and the schema of the blocks the engine owns. */
#ifndef PROXYD_ENGINE_CONF_H
#define PROXYD_ENGINE_CONF_H

#include "base/arena.h"
#include "config/schema.h"
#include "config/tree.h"
#include "core/conf.h"

/* Reads a tree that config_open found right. Everything is allocated in `a`, but texts and nodes
 * are the tree's: it must outlive *out. Always true on a right tree. */
bool conf_read(const struct tree *t, struct arena *a, struct conf *out);

/* What the table cannot say of listeners: addresses that are used twice. Opens no port. */
void conf_check(const struct node *root, struct diags *d);

/* Is it the same socket address, or does one of them cover the other ([::]:80 and 127.0.0.1:80)? */
bool bind_clashes(const struct bind_conf *a, const struct bind_conf *b);
/* The bind a TYPE_BIND word stands for; addr.port is 0 when the word is no such thing. */
struct bind_conf bind_read(const struct word *w);

extern const struct schema_row limits_rows[];
extern const struct schema_row timeouts_rows[];
extern const struct schema_row dns_rows[];
extern const struct schema_row log_access_rows[];
extern const struct schema_row log_error_rows[];

#endif
