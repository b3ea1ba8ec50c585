/*
 * Non-blocking socket calls as the rest of proxyd wants them: results as one small enum,
 * interrupted calls repeated, ready bits kept exact.
 */
#ifndef IO_SOCK_H
#define IO_SOCK_H

#include <sys/uio.h>

#include "base/addr.h"
#include "base/extent.h"
#include "base/slice.h"
#include "io/loop.h"

enum sock_result {
    SOCK_OK,    /* some bytes moved */
    SOCK_AGAIN, /* nothing now; the ready bit is cleared */
    SOCK_END,   /* recv: orderly end of stream */
    SOCK_ERROR  /* errno tells; the connection is dead */
};

/* Reads up to n bytes. A short read clears IO_IN, unless the peer hung up or failed, when there is
 * an end to read, or sent urgent data, at which a read stops: with edge triggering the next byte
 * raises a new event, and the probing second recv that would meet EAGAIN is saved. */
enum sock_result sock_recv(struct io *io, void *p, size_t n, size_t *got);
/* Writes up to n bytes or the vector's; a short write clears IO_OUT. */
enum sock_result sock_send(struct io *io, const void *p, size_t n, size_t *sent);
enum sock_result sock_sendv(struct io *io, const struct iovec *v, unsigned nv, size_t *sent);
/* Writes `head` and then a piece of a file, of both of them as much as goes: *sent counts both, and
 * a head shares its packet with the file's first bytes. SOCK_END: nothing went, for the file cannot
 * be sent this way: it is shorter, or cannot be read, or its file system does not do that. */
enum sock_result sock_sendfile(struct io *io, struct slice head, const struct extent *e,
                               size_t *sent);

/* A connecting TCP socket with TCP_NODELAY, or -1 with errno (EINPROGRESS is not an error). */
int sock_connect(const struct addr *to);
/* The same from that source; family 0: the system's choice. `foreign`: it need not be an address of
 * this machine, and its port is not looked at (io/intercept.h). */
int sock_connect_from(const struct addr *to, const struct addr *source, bool foreign);
/* 0 when a connect has succeeded, else its errno. */
int sock_connect_error(int fd);

/* Does the kernel deliver to this machine what is sent there? No packet leaves; true when no
 * descriptor is left to find out with. */
bool sock_is_local(const struct addr *a);

struct sock_listen {
    struct addr addr;
    bool both_families; /* [::] without IPV6_V6ONLY */
    bool reuse_port;
    bool transparent; /* it accepts for addresses that are not this machine's: io/intercept.h */
};
/* A listening socket, TCP_NODELAY inherited by what it accepts, or -1 with errno. */
int sock_listen(const struct sock_listen *how, int backlog);
/* Is the address to be had, and does nobody listen there? False with errno. It binds and does not
 * listen: a client that came in that instant would be accepted by the kernel and then reset. */
bool sock_may_listen(const struct sock_listen *how);
/* Accepts one connection, non-blocking; -1 with errno. */
int sock_accept(int fd, struct addr *peer);
/* Our own end of a connection: what the peer has dialled. False: it has no IP address. */
bool sock_local(int fd, struct addr *local);
/* So that close() sends RST: for a truncated answer that must not look whole. */
void sock_abort(int fd);

#endif
