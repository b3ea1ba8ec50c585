/* What is asked of the proxy itself, not through it: its own pages, OPTIONS, TRACE. */
#ifndef FORWARD_OWN_H
#define FORWARD_OWN_H

#include "base/text.h"
#include "core/exchange/role.h"

/* Stage: requests for the proxy itself (origin-form, asterisk-form, and pages that a browser asks
 * by way of the proxy): answered here, or refused with a helpful 404. */
enum verdict forward_own(struct xchg *x);
/* Is there such a page? */
bool forward_own_path(struct slice path);
/* ADDRESS:PORT at which the client has reached this listener, or, of one that intercepts, that of
 * another one which has such pages; nothing: there is none. */
void forward_own_address(const struct xchg *x, struct text *t);
/* The same, but on a wildcard by the name by which the client has asked for a page of the
 * listener's own. */
void forward_own_authority(const struct xchg *x, struct text *t);

#endif
