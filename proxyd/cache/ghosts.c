#include "cache/ghosts.h"

#include <stdlib.h>

#include "base/must.h"

enum { WAYS = 4 };

void ghosts_init(struct ghosts *g, u32 n)
{
    g->n = WAYS;
    while (g->n < n)
        g->n *= 2;
    g->slot = must_zalloc(g->n * sizeof *g->slot);
    g->now = g->n; /* so that a slot that was never used is the oldest of its set */
}

void ghosts_end(struct ghosts *g)
{
    free(g->slot);
    g->slot = NULL;
}

static u32 tag_of(u64 key)
{
    return (u32)(key >> 32) | 1;
}

static struct ghost *set_of(const struct ghosts *g, u64 key)
{
    return &g->slot[key & (g->n - 1) & ~(u64)(WAYS - 1)];
}

void ghosts_add(struct ghosts *g, u64 key, u64 most)
{
    struct ghost *s = set_of(g, key), *oldest = s;
    for (unsigned i = 1; i < WAYS; i++)
        if (g->now - s[i].at > g->now - oldest->at)
            oldest = &s[i];
    *oldest = (struct ghost){ tag_of(key), g->now++ };
    g->most = most < g->n ? (u32)most : g->n;
}

bool ghosts_take(struct ghosts *g, u64 key)
{
    struct ghost *s = set_of(g, key);
    for (unsigned i = 0; i < WAYS; i++)
        if (s[i].tag == tag_of(key) && g->now - s[i].at <= g->most) {
            s[i].tag = 0;
            return true;
        }
    return false;
}
