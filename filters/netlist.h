/*
 * A list of networks of both families, asked for the longest prefix. Prefixes nest, which a sorted
 * array cannot be searched for; so they are cut into neighbouring ranges, each with the longest
 * prefix that covers it, and every entry knows the next shorter one around it. A look-up is one
 * halving (16 steps for 45,000 addresses), and the shorter prefixes follow without another search.
 *
 * Built off the workers, immutable then: any thread may ask. Rules with a handful of networks and
 * no places have filters/cidrset.h.
 */
#ifndef FILTERS_NETLIST_H
#define FILTERS_NETLIST_H

#include "base/addr.h"
#include "filters/source.h"

struct net_record;
struct netlist_builder {
    struct net_record *record;
    size_t n, room;
};

struct net_entry;
struct net_ranges {
    void *first;  /* u32 or 128 bits each: where a range begins; it ends where the next one does */
    u32 *longest; /* of each range: entry + 1; 0: in no network */
    size_t n;
    struct net_entry *entry;
    size_t entries;
};
struct netlist {
    struct net_ranges of4, of6;
};

struct netlist_hit {
    u32 place;
    u8 bits; /* of the prefix that matched */
};

/* A zeroed builder is an empty one. False when the system refuses memory. `removes` takes the same
 * network away instead, wherever it stands. */
bool netlist_add(struct netlist_builder *b, const struct cidr *net, u32 place, bool removes);
void netlist_drop(struct netlist_builder *b);
/* Empties the builder. Of one network that stands in a file several times the first line is kept.
 * False when the system refuses memory; the list is then empty. */
bool netlist_build(struct netlist *l, struct netlist_builder *b, const struct sources *s);
void netlist_free(struct netlist *l);
size_t netlist_bytes(const struct netlist *l);
static inline size_t netlist_entries(const struct netlist *l)
{
    return l->of4.entries + l->of6.entries;
}

/* The longest prefix that has the address and stands in one of the places (NULL: any). An address
 * without family is in no network. */
bool netlist_find(const struct netlist *l, const struct addr *a, const struct places *in,
                  struct netlist_hit *hit);

#endif
