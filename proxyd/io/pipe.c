#include "io/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool pipe_open(struct pipe *p)
{
    int fd[2];
    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
        return false;
    if (fcntl(fd[1], F_SETPIPE_SZ, PIPE_SIZE) < PIPE_SIZE) {
        close(fd[0]);
        close(fd[1]);
        return false;
    }
    *p = (struct pipe){ .in = fd[1], .out = fd[0] };
    return true;
}

void pipe_close(struct pipe *p)
{
    close(p->in);
    close(p->out);
}

static ssize_t move(int from, int to, size_t most)
{
    ssize_t n;
    do
        n = splice(from, NULL, to, NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (n < 0 && errno == EINTR);
    return n;
}

/* EAGAIN cannot tell an empty socket from a full pipe, so only an empty pipe's EAGAIN speaks for
 * the socket. */
enum sock_result pipe_fill(struct pipe *p, struct io *from, size_t *moved)
{
    ssize_t n = move(from->fd, p->in, PIPE_SIZE);
    if (n > 0) {
        p->held += (u32)n;
        *moved = (size_t)n;
        return SOCK_OK;
    }
    /* Also when it gets no page, or meets bytes that it cannot move. */
    if (n == 0 || errno == ENOMEM || errno == ENOBUFS || errno == EINVAL)
        return SOCK_END;
    if (errno != EAGAIN)
        return SOCK_ERROR;
    if (p->held)
        return SOCK_AGAIN;
    if (from->ready & IO_URGENT) /* stands before a mark that it cannot pass; recv can */
        return SOCK_END;
    from->ready &= (u8)~IO_IN;
    return SOCK_AGAIN;
}

enum sock_result pipe_drain(struct pipe *p, struct io *to, size_t *moved)
{
    ssize_t n = move(p->out, to->fd, p->held);
    if (n > 0) {
        p->held -= (u32)n;
        *moved = (size_t)n;
        return SOCK_OK;
    }
    if (n < 0 && errno == EAGAIN) {
        to->ready &= (u8)~IO_OUT;
        return SOCK_AGAIN;
    }
    return SOCK_ERROR;
}
