/*
 * The place of a list in the configuration, whatever content it has at the moment. Its content is
 * exchanged while requests are judged, so each reader (a worker, by its number) has a pointer of
 * its own that only its thread reads and changes: between two turns of its loop, never within a
 * decision. What was taken from a content must not be kept beyond the turn.
 */
#ifndef FILTERS_LIST_SLOT_H
#define FILTERS_LIST_SLOT_H

#include "filters/filter_list.h"

enum { LIST_READERS = 129 }; /* workers, and one for those who ask why */

/* A list, and what it takes to ask it. */
struct list_category {
    struct slice name;
    struct places places;
};
struct list_content {
    struct filter_list *list;
    bool has_nets, has_urls;
    size_t entries, bytes;
    struct arena arena;
    struct list_category *category; /* sorted by name */
    u32 categories, readers;
    struct regex_scratch *scratch[]; /* of each reader; NULL when there are no patterns */
};

struct list_slot {
    struct slice name;
    u32 readers;                                 /* so many */
    bool optional;                               /* not loaded: it has no entry, instead of a 503 */
    const struct list_content *of[LIST_READERS]; /* NULL: never loaded so far */
};

/* Takes the list over, also when it returns NULL: no memory. */
struct list_content *list_content_new(struct filter_list *l, u32 readers);
void list_content_free(struct list_content *c);
/* The places of a category; NULL: no file has it. */
const struct places *list_category(const struct list_content *c, struct slice name);

#endif
