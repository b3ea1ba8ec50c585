/*
 * 1 MB pipes for splice. They are few for a reason: an unprivileged user gets 64 of them in all,
 * then the kernel refuses, so the process keeps 48 at most (the caller counts), and splicing
 * through less than 256 kB costs more than copying.
 */
#ifndef IO_PIPE_H
#define IO_PIPE_H

#include "io/sock.h"

enum { PIPE_SIZE = 1 << 20, PIPE_MOST = 48 };

struct pipe {
    int in, out; /* write end, read end */
    u32 held;    /* bytes inside */
};

/* False when the kernel gives no pipe of full size. */
bool pipe_open(struct pipe *p);
void pipe_close(struct pipe *p);
/* From a socket into the pipe: SOCK_OK with *moved, SOCK_AGAIN (socket empty: its ready bit is
 * cleared; or pipe full), SOCK_END (nothing more can be spliced: recv tells why), SOCK_ERROR. */
enum sock_result pipe_fill(struct pipe *p, struct io *from, size_t *moved);
/* From the pipe to a socket. */
enum sock_result pipe_drain(struct pipe *p, struct io *to, size_t *moved);

#endif
