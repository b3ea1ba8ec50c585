/* What a list is made of, between its builder (filter_builder.c) and those who ask it
 * (filter_list.c). */
#ifndef FILTERS_FILTER_LIST_INSIDE_H
#define FILTERS_FILTER_LIST_INSIDE_H

#include "filters/filter_list.h"
#include "filters/literalset.h"
#include "filters/netlist.h"
#include "filters/urllist.h"

enum rank { RANK_IMPORTANT, RANK_EXCEPTED, RANK_LISTED, RANKS };
enum { PARTIES = PARTY_FIRST + 1, LAYERS = RANKS * PARTIES };

struct layer {
    struct hostlist hosts;
    struct netlist nets, clients;
    struct urllist urls;
    struct literalset texts;
    struct regexset *regexes;
};

/* An entry that does something else than its rank says. */
struct odd {
    u32 place;
    enum list_effect effect;
    struct slice page; /* in the sources' arena */
};

struct filter_list {
    struct sources sources;
    struct layer *layer[LAYERS]; /* NULL: empty */
    struct odd *odd;             /* by place */
    size_t nodd;
};

/* Frees the sets and the layer itself. */
void filter_layer_free(struct layer *l);

#endif
