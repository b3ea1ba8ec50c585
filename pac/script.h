/*
 * Inside of pac/: from labels to the text of a script. It has to run in engines of twenty years ago
 * (ECMAScript 3), so the code stands in the files .js as it is and only tables are made here.
 */
#ifndef PAC_SCRIPT_H
#define PAC_SCRIPT_H

#include "pac/label.h"
#include "pac/pac.h"

/* What could not be said in the room that there is. */
struct pac_left_out {
    u32 labels;
    const struct word *first;
};

/* In the arena. What does not fit is not direct. name: of the block, empty without one. */
struct pac_script pac_script_make(struct slice name, const struct cidr *clients,
                                  const struct pac_section *s, const struct pac_labels *l,
                                  struct arena *a, struct pac_left_out *left);

#endif
