/*
 * A second opinion on HTTP/1 for the whole-connection target: reads the bytes that went over each
 * socket with a parser that shares nothing with proxyd's, and holds both sides against each other.
 */
#ifndef FUZZ_CONNECTION_CHECK_H
#define FUZZ_CONNECTION_CHECK_H

#include "base/slice.h"

enum { WIRE_BYTES = 1 << 20, MOST_MESSAGES = 96 };

enum wire_end { END_OPEN, END_ORDERLY, END_RESET };

/* All that went over one socket, seen from the fuzzer's end. */
struct wire {
    char *sent, *got; /* WIRE_BYTES each */
    u32 nsent, ngot;
    enum wire_end got_end;  /* how the engine ended its direction */
    enum wire_end sent_end; /* how the fuzzer ended its own */
    bool tunnel;            /* an origin that is only reached by CONNECT */
    bool overflow;          /* more than WIRE_BYTES: not judged */
};

struct message {
    struct slice method; /* requests, and the one that an answer is for */
    struct slice head;   /* start line and fields, with the empty line */
    u16 status;          /* answers */
    bool complete;
    bool until_close;
    bool relayed; /* has a Via: it is an origin's answer and none of proxyd's own */
    bool upgrade; /* names Upgrade: websocket */
    bool closes;  /* Connection: close */
    u64 hash;     /* of the body */
    u64 length;   /* of the body */
};

struct messages {
    struct message m[MOST_MESSAGES];
    u32 n;          /* final answers, or requests; the last one may be incomplete */
    u32 interim;    /* 1xx answers */
    bool malformed; /* it goes on with something that is none */
    bool raw;       /* … or with a tunnel's bytes, from `rest` on */
    u32 rest;
};

void read_requests(struct messages *out, struct slice bytes);
/* `asked` tells which method each answer is for. */
void read_answers(struct messages *out, struct slice bytes, enum wire_end end,
                  const struct messages *asked);

/* What must hold between clients and origins; aborts when it does not. `retries`: how many requests
 * proxyd says it has sent twice. `name`: what it calls itself in Via, this time; an origin that
 * hears another name has a connection that the kernel was late with, and is not judged. */
void check_wires(const struct wire *client, u32 nclients, const struct wire *origin, u32 norigins,
                 u32 retries, const char *name);

#endif
