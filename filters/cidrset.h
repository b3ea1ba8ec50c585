/*
 * Sets of networks of both families: sorted, merged ranges. A handful is walked, more are searched
 * by halves; nothing is allocated after building.
 */
#ifndef FILTERS_CIDRSET_H
#define FILTERS_CIDRSET_H

#include "base/addr.h"
#include "base/arena.h"

struct range4 {
    u32 first, last;
};
struct range6 {
    unsigned __int128 first, last;
};

struct cidrset {
    const struct range4 *four;
    const struct range6 *six;
    u32 n4, n6; /* ranges after merging; both 0: the set is empty */
};

/* Overlapping and neighbouring networks become one range. Everything lives in the arena. */
void cidrset_build(struct cidrset *s, struct arena *a, const struct cidr *list, size_t n);
/* An address without family is in no set. */
bool cidrset_has(const struct cidrset *s, const struct addr *a);
/* Has the set any address of the network? Walks the whole set: for checks, not for traffic. */
bool cidrset_meets(const struct cidrset *s, const struct cidr *c);

#endif
