#include "offline.h"

#include <stdio.h>

#include "compile.h"
#include "filters/addrclass.h"
#include "lists.h"
#include "schema_root.h"

void offline_compile(const struct tree *t, struct offline *o)
{
    o->registry = registry_new();
    (void)addrclass_refresh_local(); /* what is ours is of the class loopback */
    lists_only_complain();
    o->snapshot = snapshot_compile(t, o->registry, 1);
}

bool offline_open(const char *path, struct offline *o)
{
    struct diags d;
    *o = (struct offline){ .registry = NULL };
    diags_init(&d);
    bool fine = config_open(path, &o->tree, &d);
    if (fine)
        offline_compile(&o->tree, o);
    else
        diags_print(&d, stderr);
    diags_free(&d);
    if (!fine)
        config_free(&o->tree);
    return fine;
}

void offline_close(struct offline *o)
{
    snapshot_free(o->snapshot);
    registry_free(o->registry);
    config_free(&o->tree);
}
