#include "forward/conf.h"

#include "config/schema.h"
#include "policy/conf.h"

const void *forward_compile(const struct node *policy, struct snapshot *s, struct registry *r)
{
    struct forward_part *part = arena_zalloc(&s->arena, sizeof *part);
    (void)r;
    part->policy = policy_compile(policy, &s->arena);
    part->profile = profile_intern(&(struct conn_profile){ .scheme = SCHEME_HTTP });
    return part;
}
