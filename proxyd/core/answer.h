/* Answers that the proxy gives itself: small, whole in memory, written in one go. */
#ifndef CORE_ANSWER_H
#define CORE_ANSWER_H

#include "core/xchg.h"

struct answer {
    u16 status;
    struct slice reason; /* empty: the customary phrase */
    struct slice type;   /* Content-Type; empty: no body at all */
    struct slice body;
    struct slice fields; /* complete extra field lines, each with CRLF */
};

/* Writes it behind client.conn->out and marks x as answered by ourselves; HEAD gets no body. False
 * over the memory budget. */
bool answer_write(struct xchg *x, const struct answer *a);
/* The answer to x->fault: a page in HTML, JSON or text, as Accept asks, with cause, request id and
 * Proxy-Status (RFC 9209). */
bool answer_fault(struct xchg *x);
/* The lines Date, and Connection as x->client.keep says; also for forwarded answers (step_judge).
 * */
void answer_date(struct xchg *x, struct text *t);
void answer_connection(struct xchg *x, struct text *t);

#endif
