/*
 * Fingerprints and the places where they stand: what the sets of hosts and of URLs are made of. A
 * million take 16 MB: buckets of one cache line hold five prints with four bytes each for kind and
 * place, used to four fifths. What stands in several files (a third of the names of the large
 * collections do) has its further places in a list beside.
 *
 * Made in two steps, because a table that grows is for a while twice there: records are gathered,
 * sorted in place by print, which is the order of the buckets, and then written in one pass into a
 * table of the right size. Immutable from then on, so any thread may ask.
 */
#ifndef FILTERS_PRINTMAP_H
#define FILTERS_PRINTMAP_H

#include "filters/source.h"

struct printmap_record;
struct printmap_builder {
    struct printmap_record *record;
    size_t n, room;
};

struct printmap_bucket;
struct printmap {
    struct printmap_bucket *bucket; /* NULL: empty */
    void *memory;                   /* what bucket was cut from */
    u32 *more;                      /* further places, see printmap.c */
    size_t buckets, nmore;
    size_t entries; /* prints, whatever their kinds and places */
};

enum {
    PRINT_KINDS = 3,  /* two bits whose meaning is the caller's */
    PRINT_REMOVE = 4, /* with kinds: takes these kinds of that print away, wherever they stand */
};

/* A zeroed builder is an empty one. False when the system refuses memory; the builder stays. kinds
 * is 1–3, or with PRINT_REMOVE; place is a place of the sources, not 0. */
bool printmap_add(struct printmap_builder *b, u64 print, unsigned kinds, u32 place);
void printmap_drop(struct printmap_builder *b);

/* Empties the builder. Of places in one file only the first of each kind is kept. False when the
 * system refuses memory; the map is then empty. */
bool printmap_build(struct printmap *m, struct printmap_builder *b, const struct sources *s);
void printmap_free(struct printmap *m);
size_t printmap_bytes(const struct printmap *m);

/* What is kept of a print, opaque; 0: nothing. */
u32 printmap_seek(const struct printmap *m, u64 print);
/* The bits of all its kinds. */
static inline unsigned printmap_kinds(u32 kept)
{
    return kept & PRINT_KINDS;
}
/* The first place that is of one of the kinds and among the places (NULL: all); 0: none. */
u32 printmap_place(const struct printmap *m, u32 kept, unsigned kinds, const struct places *in);
/* So that several prints are fetched at once. */
void printmap_prefetch(const struct printmap *m, u64 print);

#endif
