/*
 * Answers that the proxy gives itself: a head in x->resp and a body of any size in x->source. A
 * stage or refusal only fills these, and writes nothing; the step `reply` sends them as any other
 * answer is sent.
 */
#ifndef CORE_LOCAL_REPLY_H
#define CORE_LOCAL_REPLY_H

#include "core/exchange/xchg.h"

/* Begins one in x->resp, with Date; the caller may add fields. reason may be empty: the customary
 * phrase. */
void reply_begin(struct xchg *x, u16 status, struct slice reason);
/* Ends it with a body of `length` bytes; type may be empty. ANSWERED. */
enum verdict reply_local(struct xchg *x, struct slice type, struct source body, u64 length);
/* With one that lies in memory as long as the exchange, ANSWERED, or one that is copied: REFUSED
 * with out_of_memory when there is none. */
enum verdict reply_kept(struct xchg *x, struct slice type, struct slice body);
enum verdict reply_text(struct xchg *x, struct slice type, struct slice body);
/* The answer to x->fault: a page in HTML, JSON or text, as Accept asks, with cause, request id and
 * Proxy-Status (RFC 9209). Without memory it has no body. */
void reply_fault(struct xchg *x);
/* Whatever has been asked of the upstream side is over, and the client's connection goes on only if
 * its request is over as well. */
void reply_settle(struct xchg *x);
/* A Date field in x->resp, also of a forwarded answer. False: no memory. */
bool reply_date(struct xchg *x);

#endif
