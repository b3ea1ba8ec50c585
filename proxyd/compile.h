/*
 * From a checked tree to the snapshot that the engine runs on. Everything that is needed later is
 * copied into the snapshot's arena: the tree may go.
 */
#ifndef PROXYD_COMPILE_H
#define PROXYD_COMPILE_H

#include "config/tree.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"

/* The tree must have been checked without errors. May take long for large lists; any thread that
 * may block. */
struct snapshot *snapshot_compile(const struct tree *t, struct registry *r, u32 nworkers);

#endif
