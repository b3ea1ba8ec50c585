/*
 * May it be tried once more? At another server when no connection came about: nothing has been sent
 * then, whatever the method is. On a new connection when an idle one had gone stale, and at another
 * server of a role that says so when one ended a connection without an answer: nothing of an answer
 * was seen, the body can be given again, and either sending twice does no harm (idempotent method)
 * or the kernel took not one byte. A POST is never sent twice.
 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "core/exchange/xchg.h"

/* Before it is sent: will a retry be allowed should an idle connection turn out stale? No also
 * where nobody can tell yet, as for a body whose end has not come. */
bool retry_foreseen(const struct xchg *x);
/* Is it what goes wrong between a name and a connection? Then nothing has been sent. */
bool retry_is_unconnected(enum fault f);
/* No connection came about: may another server of the role's be tried? */
bool retry_elsewhere(struct xchg *x, enum fault why);
/* It was sent, and the connection ended before a byte of an answer: may another server of the
 * role's have it too? Then the connection is closed, the body rewound, and the caller goes to
 * where. False when sending it twice may do harm; then nothing has changed. */
bool retry_unanswered(struct xchg *x, enum fault why);
/* Closes the stale upstream connection and rewinds the body; the caller goes to dial. False: it may
 * not be sent once more, and nothing has changed. */
bool retry_rewind(struct xchg *x);

/* The answer's head has come and its store wants another one: as if nobody had been asked yet. The
 * request has no body. */
void retry_for_store(struct xchg *x);

#endif
