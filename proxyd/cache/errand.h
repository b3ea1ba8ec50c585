/*
 * Exchanges that the cache makes by itself, with the request of a client: to validate behind its
 * back (renewal.c), and to fetch slices (block_fetch.c). x->stored of such an exchange is its
 * errand until it is looked up.
 */
#ifndef CACHE_ERRAND_H
#define CACHE_ERRAND_H

#include "base/text.h"
#include "cache/object.h"
#include "core/codec/internal.h"
#include "core/types.h"

enum errand_kind { ERRAND_RENEWAL, ERRAND_BLOCK };

struct errand {
    struct requester requester; /* first: it is the requester */
    u8 kind;                    /* enum errand_kind */
};

/* The request of x without what is the client's own affair, in its arena; while x is looked up.
 * With `ranges` what it says of them stays, for rules that look at it. False: no memory. */
bool errand_request(struct xchg *x, bool ranges, struct text *t);

/* Is that one of several that users get by who they are? No errand can ask for it. */
bool errand_is_by_user(const struct object *o);

/* For who wants no byte: takes all of it. */
enum flow errand_swallow(struct requester *r, struct slice run, size_t *taken);

#endif
