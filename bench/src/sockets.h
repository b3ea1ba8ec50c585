/*
 * What the programs of the harness have in common: as many open files as there may be, listening on
 * this machine, and the end when something of that fails.
 */
#ifndef BENCH_SOCKETS_H
#define BENCH_SOCKETS_H

#include <stdint.h>
#include <sys/types.h>

/* Prints `what` and what errno says, and ends the program. */
_Noreturn void die(const char *what);
/* Raises the limit of open files as far as this process may; says how many it is now. */
size_t open_many_files(void);
/* A socket that listens on an address and a port, both in host order; flags: SOCK_NONBLOCK or 0.
 * Its connections do not wait for more to send (TCP_NODELAY). Dies of a failure. */
int listen_on(uint32_t address, int port, int flags);

#endif
