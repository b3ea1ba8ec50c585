/* `to list NAME [category C]`: one value of a `to`, between condition_where.c and the list. */
#ifndef POLICY_CONDITION_LIST_H
#define POLICY_CONDITION_LIST_H

#include "filters/list_slot.h"
#include "policy/condition.h"

struct list_use {
    struct slice name, category;  /* category.p NULL: all */
    const struct list_slot *slot; /* NULL: not bound, as in `check`; then it is unknown */
};

/* As other values of `to`; YES leaves in e->listed what matched. */
enum match list_use_holds(const struct list_use *u, struct evaluation *e);

/* The lists of a `to`. */
struct list_uses {
    struct list_use *use;
    u32 n;
};
struct list_uses *condition_to_lists(const void *data);

#endif
