/* The admin listener's configuration. */
#ifndef ADMIN_CONF_H
#define ADMIN_CONF_H

#include "base/addr.h"
#include "config/schema.h"
#include "config/tree.h"

struct admin_conf {
    bool on; /* there is an admin block */
    struct addr bind;
    bool both_families;
    struct slice text; /* of bind, as written */
};

extern const struct schema_row admin_rows[];

#endif
