/*
 * Whom we talk to, and the idle connections to it: the worker's own list, then the shared list.
 *
 * A target is named by what makes two connections the same (struct target_key). Every worker has
 * its own targets, so none of this takes a lock; only the shared list (shared_idle.h) is shared. A
 * worker keeps as many idle connections as were busy at once in the last 10 s: a small fixed number
 * would send nearly every return to the shared list (with 64 clients at least four are idle at 95 %
 * of the returns), and with one worker nothing leaves it.
 *
 * An idle connection remembers the address that it leads to; taking one asks the exchange's own
 * role whether that address is allowed, otherwise it counts as absent.
 */
#ifndef CORE_TARGET_H
#define CORE_TARGET_H

#include "core/conn/shared_idle.h"
#include "core/types.h"
#include "core/worker.h"
#include "http/uri.h"

/* Where an exchange goes. What it points to stays as long as the exchange. */
struct destination {
    const struct conn_profile *profile;
    const struct host *host;
    u16 port;
    u8 ngiven;
    bool is_parent;     /* a proxy that is to go on from there, for CONNECT too */
    bool intercepted;   /* the network may lead the connection back here: core/common/returning.h */
    sa_family_t prefer; /* to be tried first; 0: whichever was quicker of late */
    const struct addr *given;  /* its addresses, ports not looked at: then nothing is resolved */
    struct addr pinned;        /* part of the key; family 0: none */
    const struct addr *source; /* likewise: the client's own, to be connected from; NULL: none */
};

/* What a decision says. The texts are of the configuration; empty: it names none. */
struct ruling {
    enum fault fault; /* FAULT_NONE: allowed */
    struct slice rule, reason;
    struct slice shadow; /* a rule that only says what it would have done */
};

struct target {
    struct list link; /* worker->targets */
    struct list idle; /* connections, last used first */
    u64 hash;
    u32 refs; /* exchanges */
    u32 nidle;
    u32 busy, peak, last_peak;
    u64 window_ms;         /* when peak began to count */
    struct target_key key; /* its host is the one below */
    char host[];
};

/* The worker's target for that destination, made when new; a reference is held. NULL: no memory. */
struct target *target_get(struct worker *w, const struct destination *to);
/* Gives the reference back and clears *t. */
void target_put(struct worker *w, struct target **t);

/* At the very end, when no exchange and no idle connection is left. */
void target_free_all(struct worker *w);

/* What an exchange wants of an idle connection. */
struct idle_want {
    /* May a connection that leads there be used? */
    bool (*fits)(void *self, const struct addr *a);
    void *self;
    bool repeatable; /* it may be lost: what is sent on it could be sent again */
};
/* An idle connection to t, from the worker's own list, else from the shared one; NULL when there is
 * none that will do. *rested is set to how long it was idle, in ms. The caller hands it on
 * (conn_hand). */
struct conn *idle_take(struct worker *w, struct target *t, const struct idle_want *want,
                       u32 *rested);
/* One that had rested for so long was closed before anything came back: what its origin does with
 * idle ones. */
void idle_lost(struct worker *w, const struct target *t, u32 rested);
/* Keeps c, whose exchange with t has ended cleanly, on the worker's own idle list or the shared
 * one. */
void idle_give(struct target *t, struct conn *c);
/* Busy bookkeeping: a connection to t began or ceased to serve an exchange. */
void target_busy(struct worker *w, struct target *t);
void target_rest(struct target *t);
/* Closes the idle connection that rested longest, to free a descriptor: one of this worker's, else
 * a shared one. False when there is none. */
bool idle_evict(struct worker *w);
/* The same, but the last one stays: the clients that are here need a way to an origin. */
void idle_evict_spare(struct worker *w);
/* Closes all idle connections of this worker: drain. */
void idle_drain(struct worker *w);

#endif
