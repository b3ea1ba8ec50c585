/*
 * A piece of a body in memory, counted by a budget: in the heap, or, where it is large enough, in
 * pages that a socket can be given without a copy (pages.h).
 */
#ifndef CACHE_CHUNK_H
#define CACHE_CHUNK_H

#include "base/extent.h"
#include "cache/budget.h"
#include "cache/pages.h"

struct chunk {
    struct chunk *next;
    u64 at;      /* of its first byte in the body */
    u32 n, cap;  /* bytes in it, and room */
    u32 holders; /* readers that have come into it while the body was not fixed */
    bool left;   /* it is in the body no more: the last of them frees it */
    bool paged;  /* bytes are in `run` */
    const char *bytes;
    struct pages_run run;
};

/* An empty one of a body that grows. `stays`: it is for long, so pages are worth their while. NULL:
 * no room, or no memory. */
struct chunk *chunk_new(struct budget *b, u32 cap, bool stays, enum growing how);
/* A full one in an area of the caller's, with room for its bytes behind it. */
void chunk_in(struct chunk *c, struct slice bytes);
void chunk_free(struct budget *b, struct chunk *c);
/* Behind what is in it, where there is room; c->n stays. False: no memory. */
bool chunk_write(struct chunk *c, struct slice bytes);
/* Is it in a file? Then where its byte `from` and those behind it are, n in all: how many there are
 * its body's lock tells. */
bool chunk_extent(const struct chunk *c, u32 from, size_t n, struct extent *e);

#endif
