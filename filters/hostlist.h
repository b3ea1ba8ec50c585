/*
 * A list of hosts, up to tens of millions: 16 bytes for each name, whether it means the host
 * itself, what is below it, or both. A look-up in a million that finds nothing takes about 100 ns.
 * Asked with the prints of the canonical name (filters/hostset.h), which all lists and rules share.
 *
 * Built off the workers, immutable then: any thread may ask. No names are compared;
 * filters/print.h argues why none needs to be.
 */
#ifndef FILTERS_HOSTLIST_H
#define FILTERS_HOSTLIST_H

#include "filters/hostset.h"
#include "filters/printmap.h"

struct hostlist_builder {
    struct printmap_builder prints;
    u64 depths[2];
};

struct hostlist {
    struct printmap map;
    u64 depths[2]; /* bit i: an entry of i + 1 labels, [0] itself, [1] below; bit 63: 64 and more */
};

struct hostlist_hit {
    u32 place;         /* of the entry, in the list's sources */
    u8 labels;         /* of the entry: the last so many labels of the host asked for */
    bool is_subdomain; /* the host is below the entry, not the entry itself */
};

/* A zeroed builder is an empty one. The host is in canonical form (lower case, A-labels, no final
 * dot, at most 253 bytes, no empty label). `removes` takes such entries away instead, wherever they
 * stand. False when the system refuses memory. */
bool hostlist_add(struct hostlist_builder *b, enum host_kind kind, struct slice host, u32 place,
                  bool removes);
void hostlist_drop(struct hostlist_builder *b);
/* Empties the builder. False when the system refuses memory; the list is then empty. */
bool hostlist_build(struct hostlist *l, struct hostlist_builder *b, const struct sources *s);
void hostlist_free(struct hostlist *l);

static inline size_t hostlist_entries(const struct hostlist *l)
{
    return l->map.entries;
}
static inline size_t hostlist_bytes(const struct hostlist *l)
{
    return printmap_bytes(&l->map);
}

/* The entry with the most labels that covers the host and stands in one of the places (NULL: any);
 * of several lines with that name the first. False: none does. */
bool hostlist_find(const struct hostlist *l, const struct host_prints *host,
                   const struct places *in, struct hostlist_hit *hit);

#endif
