/* What an exchange or a tunnel leaves behind: its log record and its counters. */
#ifndef CORE_ACCOUNT_H
#define CORE_ACCOUNT_H

#include "core/logrec.h"
#include "core/xchg.h"

/* Counts and logs x. */
void account_exchange(struct xchg *x);
/* Counts x; a copy of its record on the heap, for the tunnel that it becomes to complete and pass
 * to account_tunnel. NULL: no memory, and nothing is counted. */
struct access_record *account_detach(struct xchg *x);
/* Logs with what is in r now; frees it. */
void account_tunnel(struct worker *w, struct access_record *r);
/* The request id that log, page and Proxy-Status share: 16 hex digits. */
enum { REQUEST_ID_TEXT = 16 };
void account_id_text(char out[REQUEST_ID_TEXT], const struct worker *w, u64 id);

#endif
