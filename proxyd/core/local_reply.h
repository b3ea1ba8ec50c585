/* Answers that the proxy gives itself: small, whole in memory, written in one go. */
#ifndef CORE_LOCAL_REPLY_H
#define CORE_LOCAL_REPLY_H

#include "core/xchg.h"

/* Begins one in x->resp, with Date; the caller may add fields. reason may be empty: the customary
 * phrase. */
void reply_begin(struct xchg *x, u16 status, struct slice reason);
/* Ends it with a body (type empty: none), writes it behind client.conn->out and marks x as answered
 * by ourselves; HEAD gets no body. False over the memory budget: begin anew when woken. */
bool reply_local(struct xchg *x, struct slice type, struct slice body);
/* The answer to x->fault: a page in HTML, JSON or text, as Accept asks, with cause, request id and
 * Proxy-Status (RFC 9209). */
bool reply_fault(struct xchg *x);
/* A Date field in x->resp, also of a forwarded answer. False: no memory. */
bool reply_date(struct xchg *x);

#endif
