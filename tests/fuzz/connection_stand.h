/*
 * What the whole-connection target runs on: the engine with one worker that nobody turns but the
 * fuzzer, the forward role with a policy compiled from text, and the sockets on which the scripted
 * sides wait.
 */
#ifndef FUZZ_CONNECTION_STAND_H
#define FUZZ_CONNECTION_STAND_H

#include <netinet/in.h>

#include "core/worker.h"
#include "compile.h"

enum { DOORS = 3, DOOR_TUNNELS = 2 };

extern struct stand {
    struct snapshot *snapshot;
    struct engine engine;
    struct worker *worker;
    int door[DOORS]; /* listening: two origins, and the one that CONNECT leads to */
    int client_door; /* listening: our own, for clients */
    struct sockaddr_in client_door_at;
} stand;

/* Once. Whatever a client calls its destination, it leads to one of the doors: 'y…' to the second,
 * 'x…' to an address where nobody listens. */
void stand_start(void);
/* 127.0.77.LAST: other tests on this machine use other addresses, whatever their ports. */
struct sockaddr_in stand_at(u8 last, u16 port);

#endif
