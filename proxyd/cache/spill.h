/* What body.c and the readers ask of the part of a body that is on disk: spill.c. */
#ifndef CACHE_SPILL_H
#define CACHE_SPILL_H

#include "cache/body.h"

/* A part of a body: where it lies. */
struct body_part {
    struct seglog_place place;
    const struct segment *segment; /* held by the body */
    u64 at;                        /* of its first byte in the body */
};

/* The part with that byte. False: it is not on disk. Under the lock, or once the body is fixed. */
bool spill_find(const struct body *b, u64 pos, struct body_part *out);
/* Without the lock: full parts are there. */
void spill_more(struct body *b);
/* May n bytes more be in memory than there are? */
bool spill_may_wait(struct body *b, u64 n);
/* Nobody of those in a chunk of a body that spills: one less. Under the lock. */
void chunk_let(struct body *b, struct chunk *c);
/* It stays in memory, and holds no disk any more. Under the lock. */
void spill_leave(struct body *b);
/* Gives back what it has there, but for the disk itself. */
void spill_end(struct body *b);

#endif
