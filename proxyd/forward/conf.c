#include "forward/conf.h"

#include "config/schema.h"
#include "filters/list_slot.h"
#include "forward/auth/users.h"
#include "forward/parents.h"
#include "pac/pac.h"
#include "policy/conf.h"

const struct registry_kind forward_rule_counts = { .name = "rule",
                                                   .size = sizeof(struct rule_count) };

static struct rule_count **count_rules(const struct policy *p, struct snapshot *s,
                                       struct registry *r)
{
    unsigned n = policy_rules(p);
    struct rule_count **counts = arena_alloc(&s->arena, n * sizeof(struct rule_count *));
    for (unsigned i = 0; i < n; i++) {
        char area[160];
        struct text name = text_in(area, sizeof area);
        text_add(&name, policy_name(p));
        text_char(&name, '/');
        text_add(&name, policy_rule_name(policy_rule_at(p, i)));
        counts[i] = registry_get(r, s, &forward_rule_counts, text_slice(&name));
    }
    return counts;
}

static struct rule_shard *shard_of(const struct forward_part *p, const struct policy_rule *r,
                                   u32 worker)
{
    return &p->counts[policy_rule_number(p->policy, r)]->shard[worker % RULE_SHARDS];
}

void rule_count_decided(const struct forward_part *p, const struct policy_rule *r, u32 worker)
{
    atomic_fetch_add_explicit(&shard_of(p, r, worker)->decided, 1, memory_order_relaxed);
}

void rule_count_shadowed(const struct forward_part *p, const struct policy_rule *r, u32 worker)
{
    atomic_fetch_add_explicit(&shard_of(p, r, worker)->shadowed, 1, memory_order_relaxed);
}

u64 rule_decided(const struct rule_count *c)
{
    u64 n = 0;
    for (unsigned i = 0; i < RULE_SHARDS; i++)
        n += atomic_load_explicit(&c->shard[i].decided, memory_order_relaxed);
    return n;
}

u64 rule_shadowed(const struct rule_count *c)
{
    u64 n = 0;
    for (unsigned i = 0; i < RULE_SHARDS; i++)
        n += atomic_load_explicit(&c->shard[i].shadowed, memory_order_relaxed);
    return n;
}

static const struct list_slot *find_list(void *snapshot, struct slice name)
{
    const struct snapshot *s = snapshot;
    for (u32 i = 0; i < s->nlists; i++)
        if (slice_eq(s->lists[i]->name, name))
            return s->lists[i];
    return NULL;
}

/* Rules with the same parent have one and the same. */
static const struct parents *parents_of(const struct node *block, struct forward_part *part,
                                        unsigned before, const struct node *const *blocks,
                                        struct snapshot *s, struct registry *r)
{
    for (unsigned i = 0; i < before; i++)
        if (blocks[i] == block)
            return part->parents[i];
    return parents_compile(block, s, r);
}

/* The rules of the block are the policy's, in the same order. */
static void bind_parents(const struct node *policy, struct forward_part *part, struct snapshot *s,
                         struct registry *r)
{
    unsigned n = policy_rules(part->policy), i = 0;
    const struct node *rules = node_child(policy, "rules");
    const struct node **blocks = arena_zalloc(&s->arena, (n + 1) * sizeof *blocks);
    part->parents = arena_zalloc(&s->arena, (n + 1) * sizeof *part->parents);
    for (const struct node *rule = rules ? rules->children : NULL; rule; rule = rule->next, i++) {
        const struct node *via = node_child(rule, "via");
        if (via == NULL)
            continue;
        blocks[i] = schema_ref(via, 0);
        part->parents[i] = parents_of(blocks[i], part, i, blocks, s, r);
    }
}

const void *forward_compile(const struct node *policy, const struct node *pac, struct snapshot *s,
                            struct registry *r)
{
    struct forward_part *part = arena_zalloc(&s->arena, sizeof *part);
    struct policy *p = policy_compile(policy, &s->arena);
    policy_bind_lists(p, &s->arena, find_list, s);
    part->policy = p;
    if (policy_has_parents(p))
        bind_parents(policy, part, s, r);
    part->judges = policy_judges(part->policy) || part->parents;
    part->edits = policy_edits(part->policy);
    part->steers_cache = policy_steers_cache(part->policy);
    part->auth = policy_auth(p);
    part->users = part->auth ? auth_users_get(r, s, part->auth) : NULL;
    part->user_rate = s->conf.limits.requests_per_user;
    part->counts = count_rules(part->policy, s, r);
    part->pac = pac_compile(pac, policy, &s->arena, NULL);
    part->profile = profile_intern(&(struct conn_profile){ .scheme = SCHEME_HTTP });
    return part;
}
