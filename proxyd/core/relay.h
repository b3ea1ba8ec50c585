/*
 * Moves one body from a leg to the other: pulled, never pushed. When the sink's socket is full
 * nothing more is read from the source, so at most one buffer per direction waits here.
 */
#ifndef CORE_RELAY_H
#define CORE_RELAY_H

#include "core/leg.h"

enum relay_result {
    RELAY_NOT_BEGUN,
    RELAY_WAIT_SOURCE, /* everything received has been passed on; more has to arrive */
    RELAY_WAIT_SINK,   /* the sink takes nothing now */
    RELAY_YIELD,       /* had its share of this turn; call again in the next one */
    RELAY_DONE,        /* the body is complete and flushed */
    /* malformed, or ended early: *fault (FAULT_NONE: the stream just ended or broke) */
    RELAY_SOURCE_FAULT,
    RELAY_SINK_BROKEN
};

struct relay {
    struct leg *from, *to;
    struct body_rules rules;
    u64 most;      /* data bytes allowed; beyond: RELAY_SOURCE_FAULT with body_too_large */
    bool trailers; /* the sink understands trailers */
    u8 last;       /* enum relay_result of the last turn: what it waits for */
};

enum relay_result relay_turn(struct relay *r, enum fault *fault);

#endif
