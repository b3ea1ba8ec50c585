/*
 * What the walk shows is noted while it is there: texts of lists may be gone with the next exchange
 * of their content, and the second form of a path overwrites what the first has said. So every
 * condition has a note for each form, and when the rule is done the form that mattered is kept.
 */
#include "policy/explain.h"

#include "base/must.h"
#include "policy/looked_at.h"
#include "policy/observer.h"
#include "policy/rule.h"
#include "policy/zone.h"

struct explaining {
    struct observer observer; /* first: it is the observer */
    const struct policy *policy;
    struct arena *arena;
    struct explained *out;
    const struct policy_rule *rule; /* whose conditions are noted now; NULL: none so far */
    struct explained_condition *note[FORMS];
    bool tried[FORMS];
};

static struct explained_condition *blank(const struct policy_rule *r, struct arena *a)
{
    struct explained_condition *c =
        arena_zalloc(a, (r->conditions ? r->conditions : 1) * sizeof *c);
    for (u32 i = 0; i < r->conditions; i++) {
        c[i].at = r->written[i].at;
        c[i].text = r->written[i].text;
    }
    return c;
}

static void begin_rule(struct explaining *x, const struct policy_rule *r)
{
    x->rule = r;
    for (enum path_form f = 0; f < FORMS; f++) {
        x->tried[f] = false;
        x->note[f] = NULL;
    }
}

static void on_begin(struct observer *o)
{
    struct explaining *x = (struct explaining *)o;
    x->out->n = 0;
    x->rule = NULL;
}

static void note_listed(struct explaining *x, struct explained_condition *c,
                        const struct policy_listed *l)
{
    c->listed =
        (struct policy_listed){ arena_copy(x->arena, l->list), arena_copy(x->arena, l->category),
                                arena_copy(x->arena, l->file), l->line };
}

static void on_condition(struct observer *o, const struct policy_rule *r, u32 i, enum match m,
                         struct evaluation *e)
{
    struct explaining *x = (struct explaining *)o;
    if (x->rule != r)
        begin_rule(x, r);
    if (!x->tried[e->form])
        x->note[e->form] = blank(r, x->arena);
    x->tried[e->form] = true;
    struct explained_condition *c = &x->note[e->form][i];
    c->asked = true;
    c->says = m;
    c->value = looked_at(x->policy, &r->condition[i], &r->written[i], m, e, x->arena);
    bool found = m == MATCH_YES && !r->condition[i].negated && e->listed.list.n;
    if (found && r->condition[i].kind == &condition_kinds[CONDITION_to])
        note_listed(x, c, &e->listed);
}

/* Do all that were asked hold, so that none stopped the others? */
static bool holds(const struct explained_condition *c, const struct policy_rule *r)
{
    for (u32 i = 0; i < r->conditions; i++)
        if (!c[i].asked || c[i].says == MATCH_NO || c[i].says == MATCH_UNKNOWN ||
            (c[i].says == MATCH_UNSAFE && r->allow))
            return false;
    return true;
}

/* A deny matches by the form in which it does, an allow fails by the one in which it does. */
static enum path_form form_that_mattered(const struct explaining *x, const struct policy_rule *r)
{
    if (!x->tried[FORM_FOLDED])
        return FORM_NORMAL;
    return holds(x->note[FORM_NORMAL], r) != r->allow   ? FORM_NORMAL
           : holds(x->note[FORM_FOLDED], r) != r->allow ? FORM_FOLDED
                                                        : FORM_NORMAL;
}

static const char *why_passed_over(const struct gate *rule, const struct gate *q)
{
    u32 missing = q->traits & ~rule->traits;
    if (missing & TRAIT_DIRECT)
        return "its parent was asked about before";
    if (missing & TRAIT_REQUEST)
        return "it is asked when the answer is there";
    if (missing & TRAIT_TUNNEL)
        return "a tunnel shows none of what it asks about";
    if (missing & TRAIT_LITERAL)
        return "it names hosts, and this is an address";
    if ((rule->methods & q->methods) == 0)
        return "it is about other methods";
    if ((rule->ports & q->ports) == 0)
        return "it is about other ports";
    return "it cannot be about this request";
}

static void on_rule(struct observer *o, const struct policy_rule *r, enum match m,
                    struct evaluation *e)
{
    struct explaining *x = (struct explaining *)o;
    if (x->rule != r)
        begin_rule(x, r);
    bool shut = gate_shut(&r->gate, &e->gate);
    enum path_form f = form_that_mattered(x, r);
    x->out->rule[x->out->n++] = (struct explained_rule){
        .rule = r,
        .at = r->at,
        .action = policy_rule_action(r),
        .is = shut                 ? EXPLAINED_PASSED_OVER
              : m == MATCH_YES     ? EXPLAINED_MATCHES
              : m == MATCH_PENDING ? EXPLAINED_WAITS
                                   : EXPLAINED_NO,
        .passed_over = shut ? why_passed_over(&r->gate, &e->gate) : NULL,
        .shadow = r->shadow,
        .other_form = f == FORM_FOLDED,
        .n = r->conditions,
        .condition = x->tried[f] ? x->note[f] : blank(r, x->arena),
    };
}

void policy_explain(const struct policy *p, const struct policy_question *q, struct arena *a,
                    struct policy_decision *d, struct explained *out)
{
    struct explaining x = {
        .observer = { on_begin, on_condition, on_rule }, .policy = p, .arena = a, .out = out
    };
    out->n = 0;
    out->rule = arena_alloc(a, (p->rules ? p->rules : 1) * sizeof *out->rule);
    policy_decide_watched(p, q, d, &x.observer);
    if (d->listed.list.n) {
        struct explained_condition kept;
        note_listed(&x, &kept, &d->listed);
        d->listed = kept.listed;
    }
}

struct position policy_rule_position(const struct policy *p, const struct policy_rule *r)
{
    return r ? r->at : p->default_at;
}

const char *policy_rule_action(const struct policy_rule *r)
{
    return r->allow ? "allow" : r->refusal.location.n ? "redirect" : "deny";
}

bool policy_rule_judges(const struct policy_rule *r)
{
    return r->on_answer;
}

bool policy_rule_asks(const struct policy_rule *r, const char *condition)
{
    for (u32 i = 0; i < r->conditions; i++)
        if (strcmp(r->condition[i].kind->name, condition) == 0)
            return true;
    return false;
}

struct slice policy_rule_via(const struct policy_rule *r)
{
    return r->via;
}

/* In the hour that a clock skips or repeats it is one of the two readings. */
u64 policy_moment(const struct policy *p, i64 local)
{
    i64 then = local;
    for (unsigned i = 0; p->zone && i < 2; i++)
        then = local - zone_offset(p->zone, then > 0 ? (u64)then : 0);
    return then > 0 ? (u64)then : 0;
}

i64 policy_local(const struct policy *p, u64 seconds)
{
    return (i64)seconds + (p->zone ? zone_offset(p->zone, seconds) : 0);
}
