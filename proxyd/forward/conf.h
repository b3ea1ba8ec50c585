/* What a forward listener needs beyond the engine's own configuration: the policy that decides, and
 * how a destination is connected to. */
#ifndef FORWARD_CONF_H
#define FORWARD_CONF_H

#include "config/tree.h"
#include <stdatomic.h>

#include "core/conn/profile.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"
#include "policy/policy.h"

/* Of a rule, by policy and name: it outlives a configuration. */
struct rule_count {
    _Atomic u64 decided, shadowed;
};
extern const struct registry_kind forward_rule_counts;

struct forward_part {
    const struct policy *policy;
    struct rule_count **counts;         /* of each rule */
    const struct conn_profile *profile; /* of every destination: plain TCP */
};

/* The forward_part of a listener's block of a checked tree, in the arena of s. */
const void *forward_compile(const struct node *policy, struct snapshot *s, struct registry *r);

static inline const struct forward_part *forward_part_of(const struct listener *l)
{
    return l->part;
}

#endif
