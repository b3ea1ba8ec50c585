/* Where does it go, and may it go there? */
#ifndef FORWARD_WHERE_H
#define FORWARD_WHERE_H

#include "base/addr.h"
#include "base/fault.h"
#include "base/text.h"
#include "core/exchange/role.h"
#include "policy/policy.h"

/* Stage: the policy's rules, on what the request shows. */
enum verdict forward_rules(struct xchg *x);
/* Stage: those rules that look at the answer. */
enum verdict forward_judge(struct xchg *x);
/* Does the rule that lets x through edit the request, or is it not known before the address? */
bool forward_alters(const struct xchg *x);
/* What it says of the cache: role.h. */
const struct cache_rule *forward_caching(const struct xchg *x, bool vetted);
/* What the rules that let x through edit in the request or in the answer; for a policy that edits.
 * False: no memory. */
bool forward_apply_edits(struct xchg *x, bool response);
/* The request's own host and port are the destination, or the parent's next proxy is. */
enum verdict forward_where(struct xchg *x);
/* role->next: through a parent, whose next proxy that is. */
bool forward_next(struct xchg *x, enum fault why);
/* The policy's word on an address the host has: before it is dialled, before an idle connection
 * is used; NULL: on a name that led to none. */
struct ruling forward_vet(const struct xchg *x, const struct addr *a);

/* `dns { search D; }`: a name without a dot becomes another one, before any rule sees it. */
void forward_search(const struct worker *w, struct host *h);
/* What d, the answer to q, rests upon (core/report/evidence.h), in EVIDENCE_MOST bytes. */
void forward_write_evidence(struct text *t, const struct policy *policy,
                            const struct policy_question *q, const struct policy_decision *d);
/* What a tunnel's record says was asked for, as a question that points to *uri; the address is the
 * one that it leads to. A fault: the record does not hold the whole of it. */
enum fault forward_ask_record(struct worker *w, const struct access_record *r,
                              struct target_uri *uri, struct policy_question *q);
/* x is about to be refused: what that rests upon goes into x->evidence, by asking once more. */
void forward_note_refusal(struct xchg *x);
/* What comes first when a tunnel that runs is decided again: its time of grace, whether its client
 * may ask at all, and what its record asked for. A fault decides. */
enum fault forward_begin_recheck(struct worker *w, const struct policy *policy,
                                 const struct access_record *r, struct target_uri *uri,
                                 struct policy_question *q, u32 *grace_ms);
/* The policy's word on what a tunnel that runs asks for; nothing is counted for it. */
struct ruling forward_judge_again(const struct policy *policy, const struct policy_question *q);
/* The same by its record, with all that a forward listener asks of it besides. */
struct ruling forward_recheck(struct worker *w, const struct listener *l,
                              const struct access_record *r, u32 *grace_ms);

#endif
