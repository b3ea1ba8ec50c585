/*
 * TRACE and OPTIONS that end here: Max-Forwards reached 0 (RFC 9110 section 7.6.2), or the proxy
 * itself was asked.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/exchange/xchg.h"

/* Echoes the request as received, but for credentials and cookies. */
enum verdict reply_trace(struct xchg *x);
/* What methods can be used through here. */
enum verdict reply_options(struct xchg *x);
/* Notes Max-Forwards; ANSWERED when it ends here, REFUSED when it is malformed. */
enum verdict check_max_forwards(struct xchg *x);

#endif
