/*
 * An address that is listened on, and what a configuration makes of it. The address outlives every
 * configuration, so connections simply point to it; the listener is a part of a snapshot and found
 * there by the address's slot.
 */
#ifndef CORE_LISTENER_H
#define CORE_LISTENER_H

#include <stdatomic.h>

#include "base/addr.h"
#include "base/cached.h"
#include "core/types.h"
#include "io/stream.h"

/* What one worker counts of an address, on cache lines of its own. */
struct listen_counts {
    _Alignas(CACHE_LINE) _Atomic u64 open; /* client connections now */
    _Atomic u64 requests;                  /* answered */
    _Atomic u64 cached[CACHED_COUNT];      /* of these, what a store was to them */
    _Atomic u64 saved;                     /* bytes of content that came from a store */
};

/* In the registry, never freed. */
struct listen_addr {
    struct addr addr;
    bool both_families; /* [::] that takes IPv4 as well */
    bool transparent;   /* it accepts for addresses that are not this machine's: io/intercept.h */
    u32 slot;           /* index into snapshot->by_slot */
    struct listen_counts *counts; /* of each worker; NULL: nobody counts */
};

struct listener {
    struct slice name; /* of the listener block; its further addresses carry the same one */
    const struct listen_addr *at;
    struct slice text; /* the address as written */
    const struct role *role;
    struct slice via; /* received-by of our Via entries; empty: the engine's pseudonym */
    bool via_off;     /* no entry is added: core/exchange/via.h */
    bool from_client; /* whom it intercepts it stands for: connections have the client's address */
    const void *part; /* the role's own compiled configuration */
    /* Who stands in front of it and has to say in a PROXY header whose connection it passes on. */
    const struct cidr *fronts;
    u32 nfronts;
    const struct store *store; /* that is asked before anybody is; NULL: none */
    /* Lays a layer (TLS) on what is accepted here; false: no memory. NULL: plain. */
    bool (*transport)(const struct listener *l, struct stream *s);
};

#endif
