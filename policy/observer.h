/*
 * Watching a decision: what explains it sees the very walk that decides about requests, condition
 * by condition. Requests have no observer and pay nothing for it, see BOTH in policy.c.
 */
#ifndef POLICY_OBSERVER_H
#define POLICY_OBSERVER_H

#include "policy/condition.h"

struct observer {
    /* A walk begins. What one before has told is void: it was for a rule with `via`, and none has
     * decided. */
    void (*begin)(struct observer *o);
    /* The rule's condition i was asked, for the form e->form, and said m, `not` applied. */
    void (*condition)(struct observer *o, const struct policy_rule *r, u32 i, enum match m,
                      struct evaluation *e);
    /* After each rule, with what it comes to; one whose gate is shut had no condition asked. */
    void (*rule)(struct observer *o, const struct policy_rule *r, enum match m,
                 struct evaluation *e);
};

/* As policy_decide. Where a port or a missing list decides, no rule is walked. */
void policy_decide_watched(const struct policy *p, const struct policy_question *q,
                           struct policy_decision *d, struct observer *o);

#endif
