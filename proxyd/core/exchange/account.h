/* What an exchange or a tunnel leaves behind: its log record and its counters. */
#ifndef CORE_ACCOUNT_H
#define CORE_ACCOUNT_H

#include "core/report/logrec.h"
#include "core/exchange/role.h"
#include "core/exchange/xchg.h"

/* Counts and logs x. */
void account_exchange(struct xchg *x);
/* A record on the heap, with room for the leases of x, for the tunnel that x may become: its texts
 * are copied, the rest comes from account_detach. `protocol` is what the tunnel carries, where that
 * is known. NULL: no memory. */
struct access_record *account_reserve(const struct xchg *x, struct slice protocol);
/* Counts x, and completes the record as far as the exchange knows it; its leases move there. The
 * tunnel does the rest, and passes it to account_tunnel. */
void account_detach(struct xchg *x, struct access_record *r);
/* What decides about a tunnel now stands in its record, which moves for it. Without memory the
 * record stays as it is. */
void account_rule(struct access_record **record, const struct ruling *ruling);
/* The same of what a tunnel's first bytes came to. */
void account_inspected(struct access_record **record, const struct inspected *i);
/* One that no tunnel has come of; NULL: nothing. */
void account_drop(struct access_record *r);
/* Logs with what is in r now, ends its leases, and frees it. */
void account_tunnel(struct worker *w, struct access_record *r);
/* The request id that log, page and Proxy-Status share: 16 hex digits. */
enum { REQUEST_ID_TEXT = 16 };
void account_id_text(char out[REQUEST_ID_TEXT], const struct worker *w, u64 id);

#endif
