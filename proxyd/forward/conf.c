#include "forward/conf.h"

#include "config/schema.h"
#include "policy/conf.h"

const void *forward_compile(const struct node *listener, struct snapshot *s, struct registry *r)
{
    struct forward_part *part = arena_zalloc(&s->arena, sizeof *part);
    (void)r;
    part->policy = policy_compile(schema_ref(node_child(listener, "policy"), 0), &s->arena, NULL);
    part->profile = profile_intern(&(struct conn_profile){ .scheme = SCHEME_HTTP });
    return part;
}
