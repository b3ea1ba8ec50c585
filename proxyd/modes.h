/* What a listener can be: each mode with its role, and how its part of the configuration is read.
 */
#ifndef PROXYD_MODES_H
#define PROXYD_MODES_H

#include "config/tree.h"
#include "core/common/registry.h"
#include "core/exchange/role.h"
#include "core/common/snapshot.h"

struct mode {
    const char *name;
    const struct role *role;
    /* The role's part of a listener, in the arena of s, from the block that it wants and the one
     * that `pac` names (NULL: none). The tree has been checked, and may go afterwards. */
    const void *(*compile)(const struct node *wanted, const struct node *pac, struct snapshot *s,
                           struct registry *r);
    const char *wants, *example; /* the key that this mode needs and no other takes; a value */
    const char *before, *after;  /* of the address, in a request by curl */
};

extern const struct mode modes[];
extern const unsigned modes_count;
/* Their names, separated by blanks. */
extern const char mode_list[];
#define MODE_WORDS (mode_list + 1)

/* NULL: there is none of that name. */
const struct mode *mode_find(struct slice name);

#endif
