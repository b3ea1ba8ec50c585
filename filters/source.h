/*
 * Where an entry of a list stands: file, line and category, in one number. A list may be many files
 * (a squidGuard folder has three for each category), so their lines are numbered on from file to
 * file. That place is all that a set keeps of an entry, four bytes of which it uses 29 bits; file,
 * line and category come back by a search among the files.
 *
 * A category of a list is then a few ranges of places, which every set can be asked within.
 */
#ifndef FILTERS_SOURCE_H
#define FILTERS_SOURCE_H

#include "base/arena.h"

enum { SOURCE_LAST_PLACE = (1u << 29) - 1 }; /* 0 is no place */

struct source_file {
    struct slice name, category; /* category may be empty */
    u32 first;                   /* the place of its line 1 */
};

struct sources {
    struct arena arena;
    struct source_file *file; /* malloc'ed */
    u32 n, room;
    u32 next; /* the place behind the last line that was reported */
};

struct source_where {
    struct slice file, category; /* live as long as the sources */
    u32 line;                    /* from 1; 0: the place is none */
};

struct place_range {
    u32 first, last;
};
/* Sorted and disjoint. */
struct places {
    const struct place_range *range;
    u32 n;
};

void sources_init(struct sources *s);
void sources_free(struct sources *s);

/* The lines that follow are of this file. Both texts are copied. Returns the place of line 1. */
u32 sources_begin(struct sources *s, struct slice name, struct slice category);
/* The file that was begun last has so many lines. Places that the numbers do not reach are 0 by
 * source_place, so a file of half a billion lines is cut there and never given wrong lines. */
void sources_end(struct sources *s, u32 lines);

/* The place of a line, from 1, of the file whose line 1 has the place first; 0: beyond all. */
static inline u32 source_place(u32 first, u32 line)
{
    u64 place = (u64)first + line - 1;
    return place <= SOURCE_LAST_PLACE ? (u32)place : 0;
}

/* Which file, as an index; s->n when the place is none. */
u32 sources_file(const struct sources *s, u32 place);
struct source_where sources_where(const struct sources *s, u32 place);

/* The places of one category, in the arena; false when no file has it. Only that category: neither
 * those in folders below it nor those above. */
bool places_of_category(struct places *out, struct arena *a, const struct sources *s,
                        struct slice category);

/* Is the place among them? NULL: all are. */
static inline bool places_have(const struct places *p, u32 place)
{
    if (p == NULL)
        return true;
    for (u32 i = 0; i < p->n; i++)
        if (place - p->range[i].first <= p->range[i].last - p->range[i].first)
            return true;
    return false;
}

#endif
