/*
 * From a checked tree to what the engine runs on. This is the only place that names every
 * direction. A snapshot is immutable once made; everything in it lives in its arena.
 */
#ifndef PROXYD_SNAPSHOT_H
#define PROXYD_SNAPSHOT_H

#include "admin/conf.h"
#include "base/arena.h"
#include "config/tree.h"
#include "core/conf.h"
#include "core/listener.h"

struct snapshot {
    struct arena arena;
    struct conf conf;
    struct listener *listeners; /* one per address */
    u32 nlisteners;
    struct admin_conf admin;
};

/* The tree must have been checked without errors and must outlive the snapshot. */
void snapshot_make(struct snapshot *s, const struct tree *t);
void snapshot_free(struct snapshot *s);

#endif
