#include "forward/conf.h"

#include "config/schema.h"
#include "policy/conf.h"

const struct forward_part *forward_conf_read(const struct node *listener, struct arena *a)
{
    struct forward_part *part = arena_zalloc(a, sizeof *part);
    part->policy = policy_compile(schema_ref(node_child(listener, "policy"), 0), a, NULL);
    return part;
}
