/*
 * Call queue: many producers, one consumer, no lock. A call is intrusive memory of the sender's; it
 * must stay until the consumer has run it, and is the consumer's from then on.
 *
 * Calls are pushed onto a stack with one compare-and-swap and taken all at once with one swap;
 * the taker turns the stack around, so each sender's calls arrive in order.
 */
#ifndef BASE_CALL_H
#define BASE_CALL_H

#include <stdatomic.h>

#include "base/types.h"

struct call {
    struct call *next;
    void (*run)(struct call *, void *receiver); /* runs on the receiving thread */
};

struct call_queue {
    _Alignas(CACHE_LINE) _Atomic(struct call *) top;
};

/* True when the queue was empty before: the receiver may need a wake-up. */
bool call_post(struct call_queue *box, struct call *l);
/* All calls in order of posting, linked by next; NULL when there is none. One relaxed load in
 * the empty case. */
struct call *call_take(struct call_queue *box);

#endif
