/*
 * May a request be sent once more? Only when the connection was an idle one that had gone stale:
 * nothing of an answer was seen, the body can be given again, and either sending twice does no harm
 * (idempotent method) or the kernel took not one byte. A POST is never sent twice.
 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "core/xchg.h"

/* Before it is sent: will a retry be allowed should an idle connection turn out stale? No also
 * where nobody can tell yet, as for a body whose end has not come. */
bool retry_foreseen(const struct xchg *x);
/* Closes the stale upstream connection and rewinds the body; the caller goes to dial. False: it may
 * not be sent once more, and nothing has changed. */
bool retry_rewind(struct xchg *x);

#endif
