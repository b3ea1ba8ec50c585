/*
 * One block, for whoever waits for it: an exchange of the proxy's own in the name of the client
 * that has missed it first, decided as that one's was. What it brings is kept, and all read it from
 * there; it goes on when that client leaves, for it is no more than a block.
 *
 * The hard thing is a block that there is no room for, or that is not to be kept: then it passes
 * through a pipe of some bytes to the one reader that has asked for it, at its pace, and is given
 * up with it. All of that happens on one worker.
 */
#ifndef CACHE_BLOCK_FETCH_H
#define CACHE_BLOCK_FETCH_H

#include "cache/errand.h"
#include "cache/manifest.h"
#include "cache/notes.h"

struct blocks;

enum fetch_state {
    FETCH_ASKS,   /* no head has come */
    FETCH_KEPT,   /* it is found in the cache */
    FETCH_PASSES, /* it is to be read here */
    FETCH_BROKEN, /* the origin has failed, which it may not for long */
    FETCH_FAILED
};

enum { PIPE_BYTES = 64 << 10 };

struct block_fetch {
    struct errand errand;    /* first */
    struct object *manifest; /* held, until the exchange ends */
    struct manifest of;
    u64 number;
    struct flights *flights;
    struct flight *flight; /* of flights; until the exchange is looked up, which takes it over, and
                              again when that is BROKEN: for the next try */
    struct blocks *reader; /* that waits; NULL: nobody, as of one that is asked for ahead */
    u8 state;              /* enum fetch_state */
    bool over;             /* its exchange has ended; it stays for the reader */
    bool resumes;          /* what it brings is for those who go on: resume.h */
    char *pipe;            /* PASSES */
    u32 from, to;          /* what is in the pipe */
    u64 at;                /* where its first byte lies in the whole */
};

/* Has that block of b fetched, for a flight that it takes over (*flight NULL: for nobody else).
 * NULL: it cannot be. Whoever reads it sets `reader`. */
struct block_fetch *block_fetch_start(struct blocks *b, u64 number, struct flight **flight);
/* The reader does not want it any more. NULL is fine; *f is NULL then. */
void block_fetch_leave(struct block_fetch **f);
/* Of one that passes: what there is at pos, a byte of that block. FAULT: it will not come. */
enum flow block_fetch_peek(struct block_fetch *f, u64 pos, struct slice *run);
void block_fetch_took(struct block_fetch *f, size_t n);

/* Its exchange is looked up. */
enum lookup block_lookup(struct xchg *x, struct errand *e);

#endif
