/*
 * The fuzzers' ends of the sockets: what clients and origins of the whole-connection targets do,
 * how the engine's loop is turned meanwhile, and a clock that pass_time puts forward.
 */
#ifndef FUZZ_CONNECTION_ENDS_H
#define FUZZ_CONNECTION_ENDS_H

#include "connection_check.h"

enum { CLIENT_ADDRESSES = 200 }; /* 127.0.77.10 and on: where clients come from */

struct end {
    int fd;
    struct wire *wire;
};

/* A new client of the stand, and the connection of the engine to a door that waits there (false:
 * none does). `buffers` makes those of the sockets small, two bits each: the one in which the
 * client receives, the engine's towards it, the origin's. */
void open_client(struct end *e, struct wire *w, u8 buffers);
bool open_origin(struct end *e, struct wire *w, u8 buffers);

/* At most that many bytes of what has arrived. */
void receive(struct end *e, size_t most);
/* The first n bytes of what is left to say, as many as the socket takes. */
void say(struct end *e, struct slice *left, size_t n);
void half_close(struct end *e);
void close_end(struct end *e, bool reset);

/* One turn of the engine; or until it has nothing to do, and it always comes to that, for nobody
 * feeds it meanwhile. */
void turn(void);
void settle(void);
void pass_time(u32 ms);

/* NULL, or what the engine still has. Nothing may be left when both sides have gone. */
const char *left_over(void);
/* Takes what stands in the queues of the doors still, or comes late: the next run must not find
 * it. */
void sweep_doors(void);

#endif
