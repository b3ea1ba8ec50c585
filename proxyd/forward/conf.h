/* What a forward listener needs beyond the engine's own configuration: the policy that decides. */
#ifndef FORWARD_CONF_H
#define FORWARD_CONF_H

#include "config/tree.h"
#include "core/listener.h"
#include "policy/policy.h"

struct forward_part {
    const struct policy *policy;
};

/* Reads the listener's block of a checked tree into an arena; never NULL. */
const struct forward_part *forward_conf_read(const struct node *listener, struct arena *a);

static inline const struct forward_part *forward_part_of(const struct listener *l)
{
    return l->part;
}

#endif
