/*
 * Keys of what was given up lately, a fixed number of them; sometimes a wrong yes, which does no
 * harm. Each slot has a part of the key and when it came, counted in keys: what is older than as
 * many as there are slots has left. Its owner's lock guards it.
 */
#ifndef CACHE_GHOSTS_H
#define CACHE_GHOSTS_H

#include "base/types.h"

struct ghosts {
    struct ghost {
        u32 tag, at;
    } * slot;
    u32 n, now; /* n: a power of two */
};

void ghosts_init(struct ghosts *g, u32 n);
void ghosts_end(struct ghosts *g);
void ghosts_add(struct ghosts *g, u64 key);
/* It leaves at that. */
bool ghosts_take(struct ghosts *g, u64 key);

#endif
