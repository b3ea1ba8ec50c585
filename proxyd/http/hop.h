/* What belongs to one connection only and must not pass a proxy (RFC 9110 section 7.6). */
#ifndef HTTP_HOP_H
#define HTTP_HOP_H

#include "base/fault.h"
#include "http/msg.h"

/* Deletes hop-by-hop fields, those that Connection nominates (unless TOKEN_KEEP), Proxy and Proxy-*
 * (answers keep Proxy-Status). Trailer stays when the body is chunked, and only then. Expect stays.
 * What the caller wants on its own hop it adds afterwards: Connection, Upgrade,
 * Transfer-Encoding, TE. */
void hop_strip(struct msg *m);

/* Has a Via entry this received-by? Compared without case, any protocol version. */
bool via_seen(const struct msg *m, struct slice pseudonym);

/* Max-Forwards of TRACE and OPTIONS (RFC 9110 section 7.6.2). *has is false when there is none or
 * the method ignores it. FAULT_bad_max_forwards when it is repeated or not a number. */
enum fault max_forwards(const struct msg *m, u32 *value, bool *has);

#endif
