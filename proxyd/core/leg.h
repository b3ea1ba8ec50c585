/*
 * One side of an exchange. A leg reads one message body and writes another one; both sides are of
 * this one kind, so a relay is "from this leg to that leg" in either direction. Today a leg rides
 * a whole HTTP/1 connection; a stream of a shared connection will be another ride behind the same
 * functions.
 *
 * Framing is undone on reading and made anew on writing: nothing of the sender's chunk lines,
 * extensions or lengths is passed on.
 */
#ifndef CORE_LEG_H
#define CORE_LEG_H

#include "base/fault.h"
#include "core/conn.h"
#include "core/flow.h"
#include "http/chunk.h"
#include "http/msg.h"

enum body_phase { BODY_DATA, BODY_TRAILERS, BODY_DONE };

/* Reading side of a leg. All zero with phase BODY_DONE: no body. */
struct body_in {
    u64 left;  /* BODY_LENGTH: still to come */
    u64 total; /* data bytes seen */
    struct chunk_in chunk;
    struct head_scan scan; /* of the trailer section */
    u8 kind;               /* enum body_kind */
    u8 phase;
};

/* Writing side. */
struct body_out {
    u64 left; /* BODY_LENGTH: still owed; BODY_CHUNKED: of the open chunk */
    u64 total;
    u8 kind;
    bool open; /* BODY_CHUNKED: the CRLF behind the last chunk's data is still owed */
    bool done;
};

/* What reading a body needs beside its bytes. */
struct body_rules {
    struct head_limits limits; /* for the trailer section */
    struct msg *trailers;      /* filled at the end when there are any; initialised by the caller */
    bool response;
};

struct leg {
    struct conn *conn; /* NULL: no such side (an internal exchange has no client one) */
    struct body_in in;
    struct body_out out;
    struct body_rules rules;
    u16 fault;   /* why its body cannot be read on; FAULT_NONE: its stream just ended or broke */
    bool keep;   /* the connection may serve another exchange afterwards */
    bool reused; /* it has served one before */
    u16 repairs; /* of the answers read here, repair_bit: then it serves no other */
};

/* Starts reading a body as the parsed head announces it, or writing one. */
void leg_expect_body(struct leg *l, enum body_kind kind, u64 length);
void leg_announce_body(struct leg *l, enum body_kind kind, u64 length);

/* Its body as the peer sends it, and the one that goes out to the peer. What is written small is
 * copied behind what is waiting, so that head and body go in one call; large runs go from where
 * they are. */
extern const struct source_ops leg_source_ops;
extern const struct sink_ops leg_sink_ops;
static inline struct source leg_source(struct leg *l)
{
    return (struct source){ &leg_source_ops, l };
}
static inline struct sink leg_sink(struct leg *l)
{
    return (struct sink){ &leg_sink_ops, l };
}

#endif
