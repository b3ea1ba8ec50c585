/* Sets of ports: sorted, merged ranges, or any port at all. */
#ifndef FILTERS_PORTSET_H
#define FILTERS_PORTSET_H

#include "base/arena.h"

struct port_range {
    u16 first, last;
};

struct portset {
    const struct port_range *range;
    u32 n;
};

/* The ranges 0–65535: `any`. */
void portset_any(struct portset *s, struct arena *a);
/* first ≤ last in each; they may overlap and come in any order. n 0 is the empty set. */
void portset_build(struct portset *s, struct arena *a, const struct port_range *list, size_t n);

static inline bool portset_has(const struct portset *s, u16 port)
{
    for (u32 i = 0; i < s->n && s->range[i].first <= port; i++)
        if (port <= s->range[i].last)
            return true;
    return false;
}

#endif
