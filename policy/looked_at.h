/* What a condition looked at, in words: the client's address, the host, the URL in the form that
 * was tried. For explanations only. */
#ifndef POLICY_LOOKED_AT_H
#define POLICY_LOOKED_AT_H

#include "policy/rule.h"

/* After the condition has said m about e. In the arena. */
struct slice looked_at(const struct policy *p, const struct condition *c, const struct written *w,
                       enum match m, struct evaluation *e, struct arena *a);

#endif
