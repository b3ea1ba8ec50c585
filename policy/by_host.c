#include "policy/by_host.h"

#include "policy/rule.h"

/* Does the rule hold for the host? YES: for every request to it; UNKNOWN: for some, perhaps. */
static enum match holds_for(const struct policy_rule *r, struct evaluation *e)
{
    enum match all = MATCH_YES;
    for (u32 i = 0; i < r->conditions; i++) {
        const struct condition *c = &r->condition[i];
        bool is_to = c->kind == &condition_kinds[CONDITION_to];
        if (!is_to && c->kind != &condition_kinds[CONDITION_from]) {
            all = MATCH_UNKNOWN;
            continue;
        }
        enum match m = c->kind->holds(c->data, e);
        if (c->negated)
            m = match_not(m);
        if (m == MATCH_UNSAFE)
            m = match_of(!r->allow);
        if (m == MATCH_NO || (is_to && m != MATCH_YES)) /* an address that a name may lead to */
            return MATCH_NO;
        if (m != MATCH_YES)
            all = MATCH_UNKNOWN;
    }
    return all;
}

static enum by_host of_allow(u8 reach, const struct host *host)
{
    enum fault why;
    bool open = !host->literal || policy_class_allowed(reach, &host->addr, &why);
    return open ? BY_HOST_ALLOWED : BY_HOST_DENIED;
}

struct host_ruling policy_by_host(const struct policy *p, const struct addr *client,
                                  const struct host *host)
{
    struct policy_question q = {
        .client = *client, .connect = true, .method = METHOD_CONNECT, .host = host, .port = 443
    };
    struct evaluation e = { .q = &q, .address = host->literal ? &host->addr : NULL };
    for (const struct policy_rule *r = p->rule; r < p->rule + p->rules; r++) {
        if (r->on_answer || r->shadow)
            continue;
        enum match m = holds_for(r, &e);
        if (m == MATCH_YES)
            return (struct host_ruling){ r->allow ? of_allow(r->reach, host) : BY_HOST_DENIED, r };
        if (m == MATCH_UNKNOWN && !r->allow)
            return (struct host_ruling){ BY_HOST_DEPENDS, r };
    }
    return (struct host_ruling){ p->default_allow ? of_allow(0, host) : BY_HOST_DENIED, NULL };
}
