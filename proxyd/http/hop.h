/* What belongs to one connection only and must not pass a proxy (RFC 9110 section 7.6). */
#ifndef HTTP_HOP_H
#define HTTP_HOP_H

#include "base/fault.h"
#include "http/msg.h"

/* Deletes hop-by-hop fields, those that Connection nominates (unless TOKEN_KEEP), Proxy and Proxy-*
 * (responses keep Proxy-Status), and what values of m stand for: Host (authority), and the length
 * of a body that follows (body, body_len). Trailer stays when the body is chunked, and only then.
 * Expect stays. What the next hop needs of this its codec writes from the values of m. */
void hop_strip(struct msg *m);

/* The line "Via: 1.x pseudonym" CRLF. */
void via_write(struct text *out, u8 minor, struct slice pseudonym);
/* Adds our Via entry, for the version that m came with (RFC 9110 section 7.6.3). False: no memory.
 */
bool via_add(struct msg *m, struct slice pseudonym);

/* Has a Via entry this received-by? Compared without case, any protocol version. */
bool via_seen(const struct msg *m, struct slice pseudonym);

/* Entries of all Via fields; commas in comments count as well. */
unsigned via_count(const struct msg *m);

/* Max-Forwards of TRACE and OPTIONS (RFC 9110 section 7.6.2). *has is false when there is none or
 * the method ignores it. FAULT_bad_max_forwards when it is repeated or not a number. */
enum fault max_forwards(const struct msg *m, u32 *value, bool *has);

#endif
