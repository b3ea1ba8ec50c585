/* A listening address as the engine sees it: a role, and the opaque part that role reads. */
#ifndef CORE_LISTENER_H
#define CORE_LISTENER_H

#include "base/addr.h"
#include "core/types.h"

struct listener {
    struct slice name; /* of the listener block; its further addresses carry the same one */
    struct addr bound;
    bool both_families; /* [::] that takes IPv4 as well */
    struct slice text;  /* the address as written */
    const struct role *role;
    const void *part; /* the role's own compiled configuration */
};

#endif
