/*
 * A store of responses: what may answer instead of the upstream side, and what may keep a copy of
 * what passes. The engine asks it between `where` and `dial`, when a response's head has come, and
 * when there will be none. CONNECT never gets here.
 *
 * A response that it gives is x->resp, begun anew with xchg_new_response, and x->source. What these
 * need stays until the source is closed, or until `done`. It takes the same way to the client as
 * one from upstream: the role's stages judge and edit it.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "base/fault.h"
#include "core/common/flow.h"
#include "core/types.h"

enum lookup {
    LOOKUP_MISS,   /* ask upstream; x->req may have been made conditional */
    LOOKUP_HIT,    /* x->resp and x->source are set */
    LOOKUP_PARKED, /* xchg_wake will come; then resume, never lookup again */
    LOOKUP_REFUSED /* x->fault says why */
};

struct store {
    enum lookup (*lookup)(struct xchg *x);
    /* After PARKED, whatever has woken the exchange: PARKED again if it is not time yet. NULL:
     * lookup never says so. */
    enum lookup (*resume)(struct xchg *x);
    /* The final head from upstream is in x->resp, as it came, and the response stages have passed
     * it. True: *tee is to get a copy of the body (finish, or drop, will tell it the end). A store
     * that has the body already (304) sets x->resp and x->source instead, and returns false.
     * With x->ask_again set, and x->req changed, the origin is asked once more.
     * With x->feed set, to a relay that stays as long as x, the copy leads: the body goes into *tee
     * at the upstream side's pace, and the client is served from feed->from, which reads the copy.
     * A copy that says WAIT wakes x when it takes more; after x->copy_wait_ms it is asked once
     * more, with x->copy_late. One that says FAULT ends there: what it has is given to the client
     * from feed->from (which then says FAULT), and the rest without the store; without a client the
     * exchange ends. No memory: x->fault says so. NULL: it wants nothing. */
    bool (*begin)(struct xchg *x, struct sink *tee);
    /* The upstream side has failed. True: a stored response is given instead. NULL: never. */
    bool (*rescue)(struct xchg *x, enum fault why);
    /* The client of a copy that leads has gone. True: the copy goes on. NULL: it never does. */
    bool (*keep)(struct xchg *x);
    /* x->source, which the store has given, says FAULT, in the middle of the body. True: it is
     * another one now, from the very next byte on. NULL: never. */
    bool (*go_on)(struct xchg *x);
    /* The exchange ends. Once for each lookup, last. */
    void (*done)(struct xchg *x);
};

#endif
