/*
 * An exchange without a client: fetching a list or a key set, a health probe, a cache refresh. It
 * is an ordinary exchange whose client connection ends in memory instead of a socket, so it takes
 * the same steps, asks the same role about every address and rides the same pool.
 *
 * A drain waits for it as for any client, and cuts it at the deadline.
 *
 * Lifetime: the request and `self` are the requester's. `bytes` is called with what a client would
 * have received, in order; `end` once, last, after which the exchange is gone.
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include "core/conn.h"

struct requester {
    /* Part of the answer as it goes to a client: head and body. False: no more is wanted. */
    bool (*bytes)(void *self, struct slice part);
    /* whole: the answer was complete. */
    void (*end)(void *self, bool whole);
    void *self;
};

/* Sends `request`, a whole request in absolute-form, through the role of the listener at `at`. The
 * requester must stay until `end`, which may come before this returns. False (and no `end`) when
 * memory is short, the worker is draining, or nobody listens there. */
bool internal_open(struct worker *w, const struct listen_addr *at, struct slice request,
                   const struct requester *requester);
/* Does this client connection end in memory? Then it is closed with internal_end. */
bool conn_is_internal(const struct conn *c);
void internal_end(struct conn *c, bool whole);

#endif
