/*
 * A lease: something that an exchange was given and that counts it until the end, a server for its
 * health, a limit for its count. It stands in a slot; ending it calls its `end` and empties the
 * slot. So each ends exactly once, whatever becomes of the exchange, or of the tunnel that takes
 * the slots over.
 */
#ifndef CORE_LEASE_H
#define CORE_LEASE_H

#include "base/fault.h"
#include "core/types.h"

struct outcome {
    enum fault fault; /* whoever's it was: fault_info tells; FAULT_NONE: it ended well */
    u16 status;       /* of the answer; 0: none */
    bool tunnel;
    u64 now_ms; /* on the worker's clock */
};

struct lease_ops {
    const char *name;
    void (*end)(void *object, const struct outcome *how);
};

struct lease {
    const struct lease_ops *ops; /* NULL: empty */
    void *object;
};

enum {
    LEASE_SERVER, /* of this attempt; the others last as long as the exchange */
    LEASES = 4
};

/* Takes one for the server that `where` has chosen. */
void lease_server(struct xchg *x, const struct lease_ops *ops, void *object);
/* Takes one for the exchange. False: the slots are full, and nothing was taken. */
bool lease_take(struct xchg *x, const struct lease_ops *ops, void *object);

/* How many x has; moves so many, all of them, out of its slots. */
u8 lease_count(const struct xchg *x);
void lease_move(struct xchg *x, struct lease *to, u8 n);

/* Ends one; nothing when it is empty. */
void lease_end(struct lease *l, const struct outcome *how);
/* The attempt is over, or the exchange. */
void lease_end_server(struct xchg *x, enum fault why);
void lease_end_all(struct xchg *x);

#endif
