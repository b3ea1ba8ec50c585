/*
 * Keys of what was given up lately: as many as its owner says, at most as many as there are slots;
 * sometimes a wrong yes, which does no harm. Each slot has a part of the key and when it came,
 * counted in keys, so that what is too old is known by its number. Its owner's lock guards it.
 */
#ifndef CACHE_GHOSTS_H
#define CACHE_GHOSTS_H

#include "base/types.h"

struct ghosts {
    struct ghost {
        u32 tag, at;
    } * slot;
    u32 n, now; /* n: a power of two */
    u32 most;   /* of the newest keys that are known */
};

/* With n slots or up to twice as many: a power of two. */
void ghosts_init(struct ghosts *g, u32 n);
/* Frees its slots. */
void ghosts_end(struct ghosts *g);
/* From now on the `most` newest keys are known, as far as there are slots. */
void ghosts_add(struct ghosts *g, u64 key, u64 most);
/* Was it known? It leaves at that. */
bool ghosts_take(struct ghosts *g, u64 key);

#endif
