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

/* Of a rule, by policy and name: it outlives a configuration. Workers add to shards of their own, a
 * cache line apart: all of them would else write to one line with each request. */
enum { RULE_SHARDS = 8 };
struct rule_count {
    struct rule_shard {
        _Atomic u64 decided, shadowed;
        char apart[CACHE_LINE - 2 * sizeof(u64)];
    } shard[RULE_SHARDS];
};
extern const struct registry_kind forward_rule_counts;
struct pac;
struct parents;
u64 rule_decided(const struct rule_count *c);
u64 rule_shadowed(const struct rule_count *c);

struct forward_part {
    const struct policy *policy;
    bool edits;                         /* policy_edits */
    bool steers_cache;                  /* policy_steers_cache */
    bool judges;                        /* somebody looks at the heads of answers */
    const struct policy_auth *auth;     /* NULL: nobody has to say who he is */
    struct auth_users *users;           /* of auth */
    struct rate_conf user_rate;         /* count 0: as often as he likes */
    struct rule_count **counts;         /* of each rule */
    const struct parents **parents;     /* of each rule, NULL: none; NULL: no rule has any */
    const struct pac *pac;              /* the scripts for browsers */
    const struct conn_profile *profile; /* of every other destination: plain TCP */
};

/* By that worker: once for an exchange, or once for each address where addresses decide. */
void rule_count_decided(const struct forward_part *p, const struct policy_rule *r, u32 worker);
void rule_count_shadowed(const struct forward_part *p, const struct policy_rule *r, u32 worker);

/* The forward_part of a listener's blocks of a checked tree, in the arena of s; pac may be NULL. */
const void *forward_compile(const struct node *policy, const struct node *pac, struct snapshot *s,
                            struct registry *r);

static inline const struct forward_part *forward_part_of(const struct listener *l)
{
    return l->part;
}

#endif
