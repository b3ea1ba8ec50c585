/*
 * Numbers of `vary` when all are in use: those that fewest records have go, a quarter of them at
 * once, so that the index is looked through once for each 1,024 new ones.
 *
 * The hard thing is the segment that is open: its footer is still to be written, with the names of
 * all its records. So these stay, and when they are too many it is sealed before.
 */
#include <stdlib.h>

#include "cache/disk/log.h"

enum { AT_ONCE = SEGLOG_NAMES / 4 };

struct weighed {
    u64 weight;
    u16 name;
};

static int lightest_first(const void *a, const void *b)
{
    const struct weighed *x = a, *y = b;
    return x->weight != y->weight ? (x->weight > y->weight) - (x->weight < y->weight)
                                  : (int)x->name - (int)y->name;
}

/* How many of them have to stay. */
static u32 names_of_open(const struct seglog *l, bool stay[SEGLOG_NAMES])
{
    u32 n = 0;
    for (u32 i = 0; l->open && i < l->open->list.n; i++) {
        u16 vary = l->open->list.entry[i].vary;
        n += !stay[vary];
        stay[vary] = true;
    }
    return n;
}

/* All but the AT_ONCE that are worth least stay, and those that have to. False: no memory. */
static bool choose(const struct seglog *l, bool stay[SEGLOG_NAMES])
{
    u64 *weight = calloc(SEGLOG_NAMES, sizeof *weight);
    struct weighed *all = malloc(SEGLOG_NAMES * sizeof *all);
    u32 n = 0, going = 0;
    if (weight)
        seg_index_weigh(&l->index, weight);
    if (weight == NULL || all == NULL) {
        free(weight);
        free(all);
        return false;
    }
    for (u32 i = 1; i < SEGLOG_NAMES; i++)
        if (!stay[i])
            all[n++] = (struct weighed){ weight[i], (u16)i };
    qsort(all, n, sizeof *all, lightest_first);
    for (u32 i = 0; i < n; i++) {
        bool goes = all[i].weight == 0 || going < AT_ONCE;
        going += goes;
        stay[all[i].name] = !goes;
    }
    free(weight);
    free(all);
    return true;
}

static bool make_room(struct seglog *l)
{
    bool stay[SEGLOG_NAMES] = { true };
    if (names_of_open(l, stay) > SEGLOG_NAMES - 2 * AT_ONCE) {
        if (!log_close_open(l))
            return false;
        memset(stay + 1, 0, sizeof stay - sizeof *stay);
    }
    if (!choose(l, stay))
        return false;
    atomic_store(&l->hides, true);
    seg_index_clear_names(&l->index, stay);
    vary_names_give_up(&l->names, stay);
    return true;
}

/* What is passed on has a number. */
int log_name_of(struct seglog *l, struct slice vary)
{
    int number = vary_names_add(&l->names, vary);
    if (number < 0 && vary_names_full(&l->names) && vary.n <= VARY_TEXT_MOST && !l->passing &&
        make_room(l))
        number = vary_names_add(&l->names, vary);
    return number;
}
