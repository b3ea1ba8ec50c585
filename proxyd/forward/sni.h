/* Is a tunnel to what its target says one to what its ClientHello says? */
#ifndef FORWARD_SNI_H
#define FORWARD_SNI_H

#include "core/exchange/role.h"
#include "forward/conf.h"
#include "policy/policy.h"

/* The policy's word on how a tunnel begins. */
enum inspection forward_inspect(struct worker *w, const struct listener *l,
                                const struct access_record *r, struct slice first,
                                struct inspected *out);
/* Its word on the name that a running tunnel's record holds: *q is the question about the target,
 * whose host is replaced. */
struct ruling forward_sni_recheck(const struct listener *l, const struct access_record *r,
                                  struct policy_question *q);

#endif
