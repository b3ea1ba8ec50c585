/*
 * Moves one body from a source to a sink: pulled, never pushed. When the sink takes no more nothing
 * is read from the source, so at most one buffer per direction waits here.
 *
 * What the source has in a file goes to a sink that can take it from there; a tee wants to see the
 * bytes.
 *
 * A second sink, the tee, gets a copy of what the first one took. It must take all of it at once:
 * else it is dropped, and the first one never waits for it.
 */
#ifndef CORE_RELAY_H
#define CORE_RELAY_H

#include "core/common/flow.h"

enum relay_result {
    RELAY_NOT_BEGUN,
    RELAY_WAIT_SOURCE, /* everything there was has been passed on; more has to arrive */
    RELAY_WAIT_SINK,   /* the sink takes nothing now */
    RELAY_YIELD,       /* had its share of this turn; call again in the next one */
    RELAY_DONE,        /* the body is complete and flushed */
    RELAY_SOURCE_FAULT,
    RELAY_TOO_LARGE,
    RELAY_SINK_BROKEN
};

struct relay {
    struct source from;
    struct sink to;
    struct sink tee; /* empty when there is none, or when it knows its end */
    u64 moved, most; /* data bytes passed on, and allowed; beyond: RELAY_TOO_LARGE */
    bool trailers;   /* the sink understands trailers */
    bool bytes_only; /* it takes no pieces of files */
    u8 last;         /* enum relay_result of the last turn: what it waits for */
};

enum relay_result relay_turn(struct relay *r);

/* The tee will not be whole; nothing when there is none. */
void relay_drop_tee(struct relay *r, enum fault why);

#endif
