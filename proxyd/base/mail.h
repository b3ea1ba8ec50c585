/*
 * Mailbox: many producers, one consumer, no lock. A letter is intrusive memory of the sender's; it
 * must stay until the consumer has run it, and is the consumer's from then on.
 *
 * Letters are pushed onto a stack with one compare-and-swap and taken all at once with one swap;
 * the taker turns the stack around, so each sender's letters arrive in order.
 */
#ifndef BASE_MAIL_H
#define BASE_MAIL_H

#include <stdatomic.h>

#include "base/types.h"

struct letter {
    struct letter *next;
    void (*open)(struct letter *, void *receiver); /* runs on the receiving thread */
};

struct mailbox {
    _Alignas(CACHE_LINE) _Atomic(struct letter *) top;
};

/* True when the box was empty before: the receiver may need a wake-up. */
bool mail_post(struct mailbox *box, struct letter *l);
/* All letters in order of posting, linked by next; NULL when there is none. One relaxed load in
 * the empty case. */
struct letter *mail_take(struct mailbox *box);

#endif
