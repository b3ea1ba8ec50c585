/*
 * The rule engine: ports, then rules in order, then the default. The hard thing is what is not
 * known. A rule with an unknown condition is passed over; a rule that only waits for the address
 * stops the walk, because whatever stands below it may not be the one that decides.
 */
#include "policy/policy.h"

#include "base/must.h"
#include "policy/condition_list.h"
#include "policy/observer.h"
#include "policy/rule.h"

/* What is watched and what is not is the same text, compiled twice: without an observer nothing of
 * it is left. */
#define BOTH static inline __attribute__((always_inline))

const struct condition_kind condition_kinds[CONDITION_COUNT] = {
#define CONDITION(name)                                                                            \
    [CONDITION_##name] = { #name, condition_##name##_make, condition_##name##_narrow,              \
                           condition_##name##_holds, CONDITION_##name >= CONDITION_status },
#include "policy/conditions.tbl"
#undef CONDITION
};

enum addr_class evaluation_class(struct evaluation *e)
{
    if (!e->class_known) {
        e->class = addr_class(e->address);
        e->class_known = true;
    }
    return e->class;
}

/* All conditions of a rule, for one form of the path: NO, YES or PENDING. */
BOTH enum match all_hold(const struct policy_rule *r, struct evaluation *e, struct observer *o)
{
    enum match all = MATCH_YES;
    for (u32 i = 0; i < r->conditions; i++) {
        const struct condition *c = &r->condition[i];
        enum match m = c->kind->holds(c->data, e);
        if (c->negated)
            m = match_not(m);
        if (o)
            o->condition(o, r, i, m, e);
        if (m == MATCH_UNSAFE)
            m = match_of(!r->allow);
        if (m == MATCH_NO || m == MATCH_UNKNOWN)
            return MATCH_NO;
        if (m == MATCH_PENDING)
            all = MATCH_PENDING;
    }
    return all;
}

/* A deny matches if it does in either form of the path, an allow only if it does in both: what the
 * origin will make of the path is not known here. */
static enum match both_forms(const struct policy_rule *r, struct evaluation *e, enum match normal,
                             struct observer *o)
{
    e->form = FORM_FOLDED;
    enum match folded = o ? all_hold(r, e, o) : all_hold(r, e, NULL);
    enum match decisive = match_of(!r->allow);
    if (normal == decisive || folded == decisive)
        return decisive;
    return normal == MATCH_PENDING ? normal : folded;
}

BOTH enum match rule_matches(const struct policy_rule *r, struct evaluation *e, struct observer *o)
{
    e->form = FORM_NORMAL;
    e->form_matters = false;
    e->listed.list.n = 0;
    enum match m = all_hold(r, e, o);
    return likely(!e->form_matters) ? m : both_forms(r, e, m, o);
}

static void deny(struct policy_decision *d, enum fault fault)
{
    d->action = POLICY_DENY;
    d->fault = fault;
}

/* An allow, by a rule or by default, once more limited by the class of the address. */
static void allow(struct policy_decision *d, struct evaluation *e, u8 reach)
{
    d->action = POLICY_ALLOW;
    d->reach = reach;
    if (e->address && evaluation_class(e) != CLASS_PUBLIC && !(reach & CLASS_BIT(e->class)))
        deny(d, addr_class_fault(e->class));
}

static void by_default(const struct policy *p, struct evaluation *e, struct policy_decision *d)
{
    d->rule = NULL;
    if (e->q->answer) { /* it passes */
        d->action = POLICY_ALLOW;
        return;
    }
    d->rule_name = SLICE("default");
    if (p->default_allow) {
        allow(d, e, 0);
    } else {
        d->reason = p->default_text;
        deny(d, FAULT_default_denied);
    }
}

static void by_deny(const struct policy_rule *r, const struct evaluation *e,
                    struct policy_decision *d)
{
    d->reason = r->refusal.text;
    deny(d, e->exhausted ? FAULT_pattern_exhausted : FAULT_rule_denied);
}

/* One that waits for the address does not have it looked up: it is asked with the others when each
 * address is decided on. */
static void note_shadow(const struct policy_rule *r, enum match m, struct evaluation *e,
                        struct policy_decision *d)
{
    if (m == MATCH_PENDING)
        e->address_used = true;
    else if (d->shadow == NULL)
        d->shadow = r;
}

BOTH void walk(const struct policy *p, struct evaluation *e, struct policy_decision *d,
               struct observer *o)
{
    for (const struct policy_rule *r = p->rule; r < p->rule + p->rules; r++) {
        enum match m = gate_shut(&r->gate, &e->gate) ? MATCH_NO : rule_matches(r, e, o);
        if (o)
            o->rule(o, r, m, e);
        if (m == MATCH_NO && likely(!e->exhausted))
            continue;
        d->exhausted |= e->exhausted;
        if (m == MATCH_NO) {
            e->exhausted = false; /* it is about the next rule from here on */
            continue;
        }
        if (unlikely(r->shadow)) {
            note_shadow(r, m, e, d);
            e->exhausted = false;
            continue;
        }
        d->rule = r;
        if (unlikely(e->listed.list.n))
            d->listed = e->listed;
        d->rule_name = r->name;
        if (m == MATCH_PENDING)
            d->action = POLICY_NEEDS_ADDRESS;
        else if (r->allow && !r->on_answer)
            allow(d, e, r->reach);
        else if (r->allow)
            d->action = POLICY_ALLOW;
        else
            by_deny(r, e, d);
        return;
    }
    by_default(p, e, d);
}

static void by_rules(const struct policy *p, struct evaluation *e, struct policy_decision *d)
{
    walk(p, e, d, NULL);
}

static struct gate gate_of(const struct policy_question *q)
{
    return (struct gate){
        .ports = (u64)1 << q->port % 64,
        .methods = (u32)1 << q->method,
        .traits = (q->host->literal ? TRAIT_LITERAL : TRAIT_NAME | TRAIT_DIRECT) |
                  (q->path.p ? TRAIT_PATH : TRAIT_TUNNEL) |
                  (q->answer ? TRAIT_ANSWER : TRAIT_REQUEST),
    };
}

static void begin(struct evaluation *e, const struct policy_question *q)
{
    e->q = q;
    e->gate = gate_of(q);
    e->address = q->destination ? q->destination : q->host->literal ? &q->host->addr : NULL;
    e->address_used = e->class_known = e->prints_known = e->paths_known = e->urls_known = false;
    e->exhausted = false;
    e->listed = (struct policy_listed){ .line = 0 };
}

static bool lists_are_there(const struct policy *p, unsigned reader)
{
    for (u32 i = 0; i < p->nlists; i++)
        if (p->lists[i]->of[reader] == NULL)
            return false;
    return true;
}

/* A name that a rule with `via` lets through is looked up by its parent, so for that decision its
 * addresses are unknown, whatever stands above the rule. True: such a rule has decided. Else none
 * with `via` can (their gate is shut to TRAIT_DIRECT): those above the rule that has decided here
 * did not match, and those below are not asked. */
BOTH bool ask_for_parent(const struct policy *p, const struct policy_question *q,
                         struct policy_decision *d, struct observer *o)
{
    struct evaluation e;
    struct policy_question unknown = *q;
    unknown.destination = NULL;
    unknown.address_unknown = true;
    *d = (struct policy_decision){ .address_free = true };
    begin(&e, &unknown);
    e.gate.traits &= ~(u32)TRAIT_DIRECT;
    if (o)
        o->begin(o);
    walk(p, &e, d, o);
    if (d->rule && d->rule->via.n)
        return true;
    *d = (struct policy_decision){ .address_free = true };
    return false;
}

static bool __attribute__((noinline))
by_parent(const struct policy *p, const struct policy_question *q, struct policy_decision *d)
{
    return ask_for_parent(p, q, d, NULL);
}

/* What stands before the rules. True: it has decided. */
BOTH bool decided_before(const struct policy *p, const struct policy_question *q,
                         struct policy_decision *d)
{
    *d = (struct policy_decision){ .address_free = true };
    if (q->connect ? !portset_has(&p->connect_ports, q->port)
                   : !portset_has(&p->http_ports, q->port)) {
        d->rule_name = q->connect ? SLICE("connect-ports") : SLICE("http-ports");
        deny(d, q->connect ? FAULT_connect_port_denied : FAULT_http_port_denied);
        return true;
    }
    if (unlikely(p->nlists) && !lists_are_there(p, q->reader)) {
        d->rule_name = SLICE("list");
        deny(d, FAULT_list_missing);
        return true;
    }
    return false;
}

void policy_decide(const struct policy *p, const struct policy_question *q,
                   struct policy_decision *d)
{
    if (decided_before(p, q, d))
        return;
    if (unlikely(p->has_parents) && !q->host->literal && by_parent(p, q, d))
        return;
    struct evaluation e; /* 34 kB, of which only the small fields are set and usually touched */
    begin(&e, q);
    by_rules(p, &e, d);
    d->address_free = d->action != POLICY_NEEDS_ADDRESS && (q->host->literal || !e.address_used);
}

void policy_decide_watched(const struct policy *p, const struct policy_question *q,
                           struct policy_decision *d, struct observer *o)
{
    if (decided_before(p, q, d))
        return;
    if (p->has_parents && !q->host->literal && ask_for_parent(p, q, d, o))
        return;
    struct evaluation e;
    begin(&e, q);
    o->begin(o);
    walk(p, &e, d, o);
    d->address_free = d->action != POLICY_NEEDS_ADDRESS && (q->host->literal || !e.address_used);
}

void policy_judge(const struct policy *p, const struct policy_question *q,
                  struct policy_decision *d)
{
    struct evaluation e;
    *d = (struct policy_decision){ .address_free = true };
    begin(&e, q);
    by_rules(p, &e, d);
    if (d->action == POLICY_NEEDS_ADDRESS) /* there is none any more */
        *d = (struct policy_decision){ .action = POLICY_ALLOW };
}

static void bind_condition(struct policy *p, const void *data,
                           const struct list_slot *(*find)(void *, struct slice), void *ctx)
{
    struct list_uses *uses = condition_to_lists(data);
    for (u32 i = 0; i < uses->n; i++) {
        const struct list_slot *slot = find(ctx, uses->use[i].name);
        uses->use[i].slot = slot;
        if (slot && !slot->optional)
            p->lists[p->nlists++] = slot;
    }
}

static u32 list_uses(const struct policy_rule *r)
{
    u32 n = 0;
    for (u32 i = 0; i < r->conditions; i++)
        if (r->condition[i].kind == &condition_kinds[CONDITION_to])
            n += condition_to_lists(r->condition[i].data)->n;
    return n;
}

void policy_bind_lists(struct policy *p, struct arena *a,
                       const struct list_slot *(*find)(void *ctx, struct slice name), void *ctx)
{
    u32 most = 0;
    for (u32 i = 0; i < p->rules; i++)
        most += list_uses(&p->rule[i]);
    p->lists = arena_alloc(a, (most ? most : 1) * sizeof *p->lists);
    for (u32 i = 0; i < p->rules; i++)
        for (u32 k = 0; k < p->rule[i].conditions; k++)
            if (p->rule[i].condition[k].kind == &condition_kinds[CONDITION_to])
                bind_condition(p, p->rule[i].condition[k].data, find, ctx);
}

bool policy_client_allowed(const struct policy *p, const struct addr *client)
{
    return cidrset_has(&p->clients, client);
}

bool policy_class_allowed(u8 reach, const struct addr *a, enum fault *why)
{
    enum addr_class class = addr_class(a);
    *why = addr_class_fault(class);
    return class == CLASS_PUBLIC || (reach & CLASS_BIT(class));
}
