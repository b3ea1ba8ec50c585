/*
 * An exchange of the proxy's own, such as `proxyd ctl fetch` makes. It takes the same steps as any
 * other, asks the same role about every address and rides the same idle lists; its client leg ends
 * in memory, at a requester.
 *
 * A drain waits for it as for any client, and cuts it at the deadline.
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include "core/codec/leg.h"
#include "io/loop.h"

/* The functions touch no exchange, and may not free the requester but in `end`. */
struct requester {
    /* The final response head, its slices for the time of this call. WAIT: later, once more;
     * FAULT: no body is wanted. */
    enum flow (*head)(struct requester *r, const struct msg *resp);
    /* A part of the body, without its framing; *taken is how much of it was taken. Less than all:
     * WAIT until internal_more. FAULT: no more is wanted, and r->fault may say why (else it counts
     * as a client's reset). */
    enum flow (*bytes)(struct requester *r, struct slice run, size_t *taken);
    /* NULL: nothing. Just before the exchange is gone, for internal_facts and nothing else. */
    void (*closing)(struct requester *r);
    /* Once, last, from the loop: FAULT_NONE: the answer was whole. */
    void (*end)(struct requester *r, enum fault f);
    struct io task; /* the rest is filled by internal_open */
    struct list link;
    struct worker *worker;
    struct leg *leg; /* NULL when the exchange is over */
    u16 fault;
    bool whole;
};

/* Sends `request`, a whole head in absolute-form without body and upgrade, which is copied, through
 * the role of `listen`; it begins in the loop's next turn. `listen` is one of w->snapshot, or one
 * of the caller's at an address that nobody listens on, and stays until `end`, as r does.
 * False (and no `end`) when memory is short or the worker is draining. */
bool internal_open(struct worker *w, const struct listener *listen, struct slice request,
                   struct requester *r);
/* Likewise as a part of what another exchange of w asks for, which has not ended: `a` names its
 * configuration, to which a pin is added, its listener and its client, so that it is decided as
 * that one was. What has been let in is finished: only DRAIN_NOW refuses it. That exchange may end
 * before it does; the listener stays with the configuration. */
bool internal_open_for(struct worker *w, const struct arrival *a, struct slice request,
                       struct requester *r);
/* A client leg whose peer is about to be let go gets a requester that nobody waits behind: a drain
 * waits for the exchange, and cuts it, as any other. First made (NULL: no memory), then put into
 * the leg when that is empty. */
struct requester *internal_nobody(struct worker *w);
void internal_seat(struct leg *l, struct requester *r);
/* What is known by now; only while its head, bytes or closing is called. */
void internal_facts(const struct requester *r, struct xchg_facts *out);
/* After a WAIT: it takes more. */
void internal_more(struct requester *r);
/* Gives the answer up; `end` comes all the same. */
void internal_cancel(struct requester *r);
/* The worker drains (worker->draining): DRAIN_NOW cuts all of them. */
void internal_drain(struct worker *w);

#endif
