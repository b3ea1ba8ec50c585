/* A configuration compiled to ask it things, in a command and without a process that serves it. */
#ifndef PROXYD_OFFLINE_H
#define PROXYD_OFFLINE_H

#include "config/load.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"

struct offline {
    struct tree tree;
    struct registry *registry;
    struct snapshot *snapshot; /* for one reader, 0 */
};

/* Reads, checks and compiles it, and loads its lists. NULL: the built-in one. False: it is wrong,
 * and stderr says why; then nothing is to be closed. */
bool offline_open(const char *path, struct offline *o);
/* Of a tree that has been checked without errors and stays the caller's; *o is zero. */
void offline_compile(const struct tree *t, struct offline *o);
/* All but the tree of offline_compile. */
void offline_close(struct offline *o);

#endif
