/*
 * What a decision rests upon, for whoever was refused and for the log: where its rule stands, and
 * which text of the request it matched. It is found by deciding once more with an observer, so that
 * requests that pass pay nothing for it.
 */
#ifndef POLICY_EVIDENCE_H
#define POLICY_EVIDENCE_H

#include "base/text.h"
#include "policy/policy.h"

enum { EVIDENCE_MATCHED = 256, EVIDENCE_PLACE = 256 };

/* FILE:LINE of the rule, or of the `default`, the ports or the policy that decided. */
void policy_evidence_place(struct text *t, const struct policy *p, const struct policy_decision *d);

/* What matched, as `to ads.example, method POST`; nothing when a default or a missing list decided.
 * No query string and no value of a field or a cookie is in it, only their names. q is the question
 * that led to d, or for policy_judge the one with an answer. */
void policy_evidence_matched(struct text *t, const struct policy *p,
                             const struct policy_question *q, const struct policy_decision *d);

#endif
