/* The admin listener's configuration. */
#ifndef ADMIN_CONF_H
#define ADMIN_CONF_H

#include "base/addr.h"
#include "config/schema.h"
#include "config/tree.h"

enum { ADMIN_PURGERS = 16 };

struct admin_conf {
    bool on; /* there is an admin block */
    struct addr bind;
    bool both_families;
    struct slice text;                 /* of bind, as written */
    struct cidr purger[ADMIN_PURGERS]; /* networks whose POST may purge: admin/purge.h */
    u32 npurgers;
};

extern const struct schema_row admin_rows[];

#endif
