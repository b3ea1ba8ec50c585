/*
 * From a connection that awaits a head to an exchange, for every codec of clients. It is inline
 * because each request comes this way.
 */
#ifndef CORE_CLIENT_EXCHANGE_H
#define CORE_CLIENT_EXCHANGE_H

#include "base/must.h"
#include "core/codec/server.h"
#include "core/common/snapshot.h"
#include "core/exchange/role.h"

/* What is known of a client that was meant for somebody else, anew for an exchange. NULL: no
 * memory. */
struct intercepted *client_intercepted(struct conn *c);

/* The configuration that its request will have; the pin is the caller's. */
static inline struct snapshot *client_snapshot(struct conn *c)
{
    struct snapshot *pinned = c->owner;
    c->owner = NULL;
    return pinned ? pinned : snapshot_pin(c->worker, c->worker->snapshot);
}

/* An exchange for it, whose leg and request the caller fills. NULL: no memory, and c is closed. */
static inline struct xchg *client_exchange(struct conn *c, struct leg **l, struct msg **req)
{
    struct worker *w = c->worker;
    struct snapshot *s = client_snapshot(c);
    struct arrival a = { .listen = snapshot_listener(s, c->at), .peer = &c->peer, .snap = s };
    struct xchg *x = NULL;
    expect(a.listen != NULL); /* a snapshot without the listener is none that its clients have */
    if (likely(!a.listen->role->intercepts) || (a.intercepted = client_intercepted(c)) != NULL)
        x = w->intake->begin(w, &a, l, req);
    if (unlikely(x == NULL)) {
        snapshot_unpin(w, &a.snap);
        client_close(c);
    }
    return x;
}

#endif
