/* Answers that the proxy gives itself: small, whole in memory, written in one go. */
#ifndef CORE_LOCAL_REPLY_H
#define CORE_LOCAL_REPLY_H

#include "core/xchg.h"

struct local_reply {
    u16 status;
    struct slice reason; /* empty: the customary phrase */
    struct slice type;   /* Content-Type; empty: no body at all */
    struct slice body;
    struct slice fields; /* complete extra field lines, each with CRLF */
};

/* Writes it behind client.conn->out and marks x as answered by ourselves; HEAD gets no body. False
 * over the memory budget. */
bool reply_local(struct xchg *x, const struct local_reply *a);
/* The answer to x->fault: a page in HTML, JSON or text, as Accept asks, with cause, request id and
 * Proxy-Status (RFC 9209). */
bool reply_fault(struct xchg *x);
/* The lines Date, and Connection as x->client.keep says; also for forwarded answers (step_judge).
 * */
void reply_date(struct xchg *x, struct text *t);
void reply_connection(struct xchg *x, struct text *t);

#endif
