/*
 * A stored body on its way to a client: the whole, a range of it, or several as parts of a
 * multipart answer. A source for the relay. While the body grows it waits for more at the end of
 * what there is; a body that is cut ends it with a fault, so that nothing torn looks whole.
 *
 * What lies on disk goes as pieces of a file, or as bytes to who wants to see them, and is never
 * waited for here: reader_disk.h.
 */
#ifndef CACHE_READER_H
#define CACHE_READER_H

#include "cache/reader_disk.h"
#include "core/common/flow.h"
#include "core/types.h"

struct reader_part {
    struct slice before; /* text of the answer's own */
    u64 from, to;        /* the first byte behind it; UINT64_MAX: to the end */
};

struct reader {
    struct body *body; /* held */
    struct xchg *x;    /* whom to wake; NULL: nobody waits, and nothing lies on disk */
    bool fills;        /* x fills the body as well: more of it wakes it anyway */
    struct wake *wake;
    const struct reader_part *part, *end;
    struct slice text;  /* what is left of the text that goes out now */
    struct slice after; /* text behind the last part */
    u64 pos;
    struct chunk *chunk; /* that byte `pos` is in, or is to be in */
    bool holds;          /* … and it may leave the body meanwhile */
    struct reader_disk disk;
    struct reader_part whole;
};

/* All of b. r stays until its source is closed. */
struct source reader_open(struct reader *r, struct body *b, struct xchg *x);
/* Of one that is open. */
struct source reader_source(struct reader *r);
/* Instead of the whole these parts, at least one, and then that text. All of it stays as long as
 * r. */
void reader_choose(struct reader *r, const struct reader_part *parts, unsigned n,
                   struct slice after);
/* Of a body that is a window: does none read before it? */
bool reader_is_last(const struct reader *r);

#endif
