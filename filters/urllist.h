/*
 * A list of URLs by host and path prefix, with the meaning that squidGuard gives to its `urls`
 * files: "foo.com/~bad" is that path on foo.com, www.foo.com and web3.foo.com, not on bar.foo.com.
 * A leading www, web or ftp with digits is taken off both sides as long as a dot is left; scheme,
 * port and case of letters do not count.
 *
 * Stricter than there in one thing: a prefix ends where the path does, or before "/" or "?", or has
 * such a byte as its last. So "foo.com/a" covers /a, /a/b and /a?b but not /abc. An entry without a
 * path covers the whole host, and it alone can be asked for when only the host is known.
 *
 * Prints of prefixes come from one pass over the path (filters/print.h), no further than the
 * longest entry. Built off the workers, immutable then: any thread may ask.
 */
#ifndef FILTERS_URLLIST_H
#define FILTERS_URLLIST_H

#include "filters/printmap.h"

enum { URLLIST_LONGEST = 4096 }; /* bytes of an entry */

struct urllist_builder {
    struct printmap_builder prints;
    size_t longest; /* path of an entry */
};

struct urllist {
    struct printmap map;
    size_t longest;
};

struct urllist_hit {
    u32 place;
    u16 length; /* of the path (and query) that the entry covers; 0: the entry is a host */
};

/* The host without "www.", "web2.", "ftp." and so on, if a dot is left in it. */
struct slice urllist_host(struct slice host);

/* A zeroed builder is an empty one. The host is canonical; path is "" or begins with "/", and "/"
 * is the same as "". False when the system refuses memory; longer paths than URLLIST_LONGEST are an
 * error of the caller. `removes` takes that entry away instead, wherever it stands. */
bool urllist_add(struct urllist_builder *b, struct slice host, struct slice path, u32 place,
                 bool removes);
void urllist_drop(struct urllist_builder *b);
/* Empties the builder. False when the system refuses memory; the list is then empty. */
bool urllist_build(struct urllist *l, struct urllist_builder *b, const struct sources *s);
void urllist_free(struct urllist *l);
static inline size_t urllist_entries(const struct urllist *l)
{
    return l->map.entries;
}
static inline size_t urllist_bytes(const struct urllist *l)
{
    return printmap_bytes(&l->map);
}

/* The longest entry that covers host and path (with its query, as it stands in the request) among
 * those in the places (NULL: any). path "": only the host is known. */
bool urllist_find(const struct urllist *l, struct slice host, struct slice path,
                  const struct places *in, struct urllist_hit *hit);

#endif
