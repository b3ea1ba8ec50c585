/*
 * Why a policy decides as it does: the walk of policy_decide, written down rule by rule. It is that
 * very walk (policy/observer.h), so what is not asked in traffic is not asked here.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "config/tree.h"
#include "filters/match.h"
#include "policy/policy.h"

/* Everything is in the arena or as old as the policy. */
struct explained_condition {
    struct position at;
    struct slice text;           /* as it is written */
    bool asked;                  /* else a condition before it had said no */
    enum match says;             /* `not` applied */
    struct slice value;          /* what it looked at, or why there is nothing to look at */
    struct policy_listed listed; /* the entry that it was found by; list empty: none */
};

enum explained_match {
    EXPLAINED_PASSED_OVER, /* none of its conditions was asked */
    EXPLAINED_NO,
    EXPLAINED_MATCHES,
    EXPLAINED_WAITS, /* for the address */
};

struct explained_rule {
    const struct policy_rule *rule;
    struct position at;
    const char *action; /* "allow", "deny", "redirect" */
    enum explained_match is;
    const char *passed_over; /* why, a sentence without its end */
    bool shadow;
    bool other_form; /* the form with every %XX decoded made the difference */
    u32 n;
    struct explained_condition *condition;
};

/* The rules in order, up to the one that decided. None when a port or a list decided before. */
struct explained {
    u32 n;
    struct explained_rule *rule;
};

/* d is what policy_decide says. */
void policy_explain(const struct policy *p, const struct policy_question *q, struct arena *a,
                    struct policy_decision *d, struct explained *out);

/* Where a rule stands; NULL: where `default` does. */
struct position policy_rule_position(const struct policy *p, const struct policy_rule *r);
/* "allow", "deny" or "redirect". */
const char *policy_rule_action(const struct policy_rule *r);
/* The parent that an allow leads through; empty: none. */
struct slice policy_rule_via(const struct policy_rule *r);
/* It is asked about answers, not about requests. */
bool policy_rule_judges(const struct policy_rule *r);
/* It has a condition of that name. */
bool policy_rule_asks(const struct policy_rule *r, const char *condition);
/* Seconds since 1970 of a local time in the policy's zone, which is given as if it were UTC. */
u64 policy_moment(const struct policy *p, i64 local);
/* The other way. */
i64 policy_local(const struct policy *p, u64 seconds);

#endif
