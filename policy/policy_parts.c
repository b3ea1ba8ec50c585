/*
 * What a policy consists of, for those who do not ask about a request: its settings, its rules one
 * by one, and what a rule that has decided brings along. Nothing here is computed but one thing: a
 * decision gives a rule's name, and whose it is tells its address and not its letters, because a
 * rule may be called "default" as well.
 */
#include "base/must.h"
#include "policy/policy.h"
#include "policy/rule.h"

bool policy_judges(const struct policy *p)
{
    return p->judges;
}

bool policy_has_parents(const struct policy *p)
{
    return p->has_parents;
}

bool policy_edits(const struct policy *p)
{
    return p->edits;
}

const struct edits *policy_rule_edits(const struct policy_rule *r, bool response)
{
    return response ? r->response : r->request;
}

bool policy_steers_cache(const struct policy *p)
{
    return p->steers_cache;
}

const struct cache_rule *policy_rule_cache(const struct policy_rule *r)
{
    return r->cache;
}

struct slice policy_contact(const struct policy *p)
{
    return p->contact;
}

struct slice policy_page(const struct policy *p)
{
    return p->page;
}

u32 policy_grace(const struct policy *p)
{
    return p->grace;
}

enum policy_sni policy_sni(const struct policy *p)
{
    return (enum policy_sni)p->sni;
}

bool policy_other(const struct policy *p)
{
    return p->other;
}

struct slice policy_name(const struct policy *p)
{
    return p->name;
}

unsigned policy_rules(const struct policy *p)
{
    return p->rules;
}

const struct policy_rule *policy_rule_at(const struct policy *p, unsigned i)
{
    must(i < p->rules);
    return &p->rule[i];
}

struct slice policy_rule_name(const struct policy_rule *r)
{
    return r->name;
}

unsigned policy_rule_number(const struct policy *p, const struct policy_rule *r)
{
    must(r >= p->rule && r < p->rule + p->rules);
    return (unsigned)(r - p->rule);
}

const struct policy_rule *policy_rule_named(const struct policy *p, struct slice name)
{
    for (u32 i = 0; i < p->rules; i++)
        if (p->rule[i].name.p == name.p) /* a rule may be called "default" */
            return &p->rule[i];
    return NULL;
}

struct policy_answer policy_rule_answer(const struct policy_rule *r)
{
    static const u16 moved[] = { 301, 302, 303, 307, 308 };
    const struct refusal_conf *c = &r->refusal;
    return (struct policy_answer){ c->location.n ? moved[c->moved] : (u16)c->status, c->page,
                                   c->location };
}

sa_family_t policy_rule_prefers(const struct policy_rule *r)
{
    return r->prefer == PREFER_V4 ? AF_INET : r->prefer == PREFER_V6 ? AF_INET6 : 0;
}
