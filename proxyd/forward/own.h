/* What is asked of the proxy itself, not through it: its own pages, OPTIONS, TRACE. */
#ifndef FORWARD_OWN_H
#define FORWARD_OWN_H

#include "base/text.h"
#include "core/exchange/role.h"

/* Stage: requests for the proxy itself (origin-form, asterisk-form, and pages that a browser asks
 * by way of the proxy): answered here, or refused with a helpful 404. */
enum verdict forward_own(struct xchg *x);
/* The address under which the client knows this listener: what it is bound to, or, on a wildcard,
 * what the client itself has called it, or at least has dialled. */
void forward_own_authority(const struct xchg *x, struct text *t);

#endif
