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

struct leg {
    struct conn *conn; /* NULL: no such side (an internal exchange has no client one) */
    struct body_in in;
    struct body_out out;
    bool keep;   /* the connection may serve another exchange afterwards */
    bool reused; /* it has served one before */
    u16 repairs; /* of the answers read here, repair_bit: then it serves no other */
};

enum body_result {
    BODY_RUN,  /* *run holds data */
    BODY_MORE, /* bytes are missing */
    BODY_END,  /* the message is complete; `trailers` may hold fields */
    BODY_FAULT /* *fault tells */
};

/* Starts reading a body as the parsed head announces it, or writing one. */
void leg_expect_body(struct leg *l, enum body_kind kind, u64 length);
void leg_announce_body(struct leg *l, enum body_kind kind, u64 length);

/* What limits and memory a body read needs. */
struct body_rules {
    const struct head_limits *limits; /* for the trailer section */
    struct msg *trailers; /* filled on BODY_END when there were any; initialised by the caller */
    bool response;
};
/* The next data of l's body in its connection's buffer. Takes nothing: see leg_took. */
enum body_result leg_next(struct leg *l, const struct body_rules *rules, struct slice *run,
                          enum fault *fault);
void leg_took(struct leg *l, size_t n);
/* Says that the sender's stream has ended: BODY_END when that completes the body (until close),
 * else BODY_FAULT. */
enum body_result leg_ended(struct leg *l);

/* Writes data of the body; *taken of it went. SOCK_OK: all is sent or stored behind c->out;
 * SOCK_AGAIN: the socket is full (or memory); SOCK_ERROR: the connection is dead. Small runs are
 * copied behind what is waiting, so that head and body go in one call; large ones go from where
 * they are. */
enum sock_result leg_write(struct leg *l, struct slice run, size_t *taken);
/* Ends the body: last chunk and trailers (may be NULL). Call again on SOCK_AGAIN until SOCK_OK. */
enum sock_result leg_finish(struct leg *l, const struct msg *trailers);

#endif
