/*
 * From a destination to a connection: resolve, ask about every address, race the allowed ones over
 * TCP (RFC 8305), run the profile's connectors on the winner. Every address that is dialled has
 * been vetted, and it is the vetted bits that are dialled. A dial serves whoever asks; it knows no
 * exchange.
 */
#ifndef CORE_DIAL_H
#define CORE_DIAL_H

#include "core/conn/target.h"

enum connect_result {
    CONNECT_OK,   /* done: the next connector's turn */
    CONNECT_WAIT, /* called again at the connection's next event */
    CONNECT_FAULT /* *fault says why; the address is given up */
};

/* What happens on a connection between TCP and the first request: a handshake, a word with a parent
 * proxy. */
struct connector {
    const char *name;
    enum connect_result (*run)(struct dial *d, struct conn *c, enum fault *fault);
    /* The connection that it runs on is about to be closed. NULL: it holds nothing. */
    void (*cancel)(struct dial *d);
};

struct dial_result {
    struct conn *conn; /* to be handed on (conn_hand); NULL: fault says why */
    enum fault fault;
    struct addr server;        /* the address in use or tried last; family 0: none */
    u64 resolved_us;           /* monotonic: when the look-up had answered; 0: none was needed */
    struct slice rule, reason; /* of what allowed it, or denied all; rule empty: none did */
    struct slice shadow;       /* see struct ruling */
};

struct dial_request {
    const struct destination *to; /* must stay until the end */
    struct addr client; /* in whose share of the look-ups it falls; family 0: the proxy's own */
    void *self;
    /* May that address be used? With NULL: would the answer be no whatever the address? */
    struct ruling (*vet)(void *self, const struct addr *a);
    /* The end, once, last, from the loop: the dial is gone. */
    void (*done)(void *self, const struct dial_result *result);
};

/* Bytes of a struct dial, for the worker's slab. */
u32 dial_size(void);
/* FAULT_NONE: it has begun, *d is set, and done comes later. Else it is over already, *over says
 * all, and done does not come. */
enum fault dial_start(struct worker *w, const struct dial_request *request, struct dial **d,
                      struct dial_result *over);
/* Gives it up: done does not come. */
void dial_cancel(struct dial *d);
/* The result as it would be if the dial were given up now. */
const struct dial_result *dial_so_far(const struct dial *d);
/* TIMER_DIAL. */
void dial_expired(struct timer *t);

#endif
