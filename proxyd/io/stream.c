#include "io/stream.h"

#include <errno.h>
#include <sys/socket.h>

static enum sock_result plain_recv(struct io *io, struct layer *l, void *p, size_t n, size_t *got)
{
    (void)l;
    return sock_recv(io, p, n, got);
}

/* One piece goes out by send: it is 0.1 µs cheaper than sendmsg. */
static enum sock_result plain_sendv(struct io *io, struct layer *l, const struct iovec *v,
                                    unsigned nv, size_t *sent)
{
    (void)l;
    if (nv == 1)
        return sock_send(io, v->iov_base, v->iov_len, sent);
    return sock_sendv(io, v, nv, sent);
}

static enum sock_result plain_sendfile(struct io *io, struct layer *l, struct slice head,
                                       const struct extent *e, size_t *sent)
{
    (void)l;
    return sock_sendfile(io, head, e, sent);
}

static enum sock_result plain_shutdown(struct io *io, struct layer *l)
{
    (void)l;
    return shutdown(io->fd, SHUT_WR) == 0 ? SOCK_OK : SOCK_ERROR;
}

static void plain_reset(struct io *io, struct layer *l)
{
    (void)l;
    sock_abort(io->fd);
}

static enum sock_result plain_quiet(struct io *io, struct layer *l)
{
    char byte;
    (void)l;
    ssize_t n = recv(io->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0)
        return SOCK_OK;
    if (n == 0)
        return SOCK_END;
    return errno == EAGAIN ? SOCK_AGAIN : SOCK_ERROR;
}

enum sock_result stream_peek(struct stream *s, void *p, size_t n, size_t *got)
{
    ssize_t r = recv(s->io.fd, p, n, MSG_PEEK | MSG_DONTWAIT);
    *got = r > 0 ? (size_t)r : 0;
    if (r >= 0)
        return r > 0 ? SOCK_OK : SOCK_END;
    return errno == EAGAIN || errno == EINTR ? SOCK_AGAIN : SOCK_ERROR;
}

const struct stream_ops stream_plain = {
    .name = "plain",
    .flags = STREAM_SPLICE | STREAM_IDLE | STREAM_MOVE,
    .recv = plain_recv,
    .sendv = plain_sendv,
    .sendfile = plain_sendfile,
    .shutdown = plain_shutdown,
    .reset = plain_reset,
    .quiet = plain_quiet,
};

void stream_push(struct stream *s, const struct stream_ops *ops, struct layer *l)
{
    l->below_ops = s->ops;
    l->below = s->top;
    s->ops = ops;
    s->top = l;
}

void stream_close(struct stream *s)
{
    while (s->top) {
        struct layer *l = s->top;
        const struct stream_ops *ops = s->ops;
        s->top = l->below;
        s->ops = l->below_ops;
        if (ops->close)
            ops->close(l);
    }
}

enum sock_result stream_recv_layered(struct stream *s, void *p, size_t n, size_t *got)
{
    enum sock_result r = s->ops->recv(&s->io, s->top, p, n, got);
    if (r == SOCK_AGAIN)
        s->io.ready &= (u8)~IO_BUFFERED;
    return r;
}

size_t stream_pending_layered(const struct stream *s)
{
    return s->ops->pending ? s->ops->pending(s->top) : 0;
}

enum sock_result stream_handshake(struct stream *s)
{
    return s->ops->handshake ? s->ops->handshake(&s->io, s->top) : SOCK_OK;
}

const struct peer_identity *stream_identity(const struct stream *s)
{
    return s->ops->identity ? s->ops->identity(s->top) : NULL;
}

enum sock_result layer_recv(struct io *io, struct layer *l, void *p, size_t n, size_t *got)
{
    if (l->below == NULL && !(io->ready & IO_IN))
        return SOCK_AGAIN;
    enum sock_result r = l->below_ops->recv(io, l->below, p, n, got);
    if (r == SOCK_OK)
        io->ready |= IO_BUFFERED;
    return r;
}

enum sock_result layer_sendv(struct io *io, struct layer *l, const struct iovec *v, unsigned nv,
                             size_t *sent)
{
    if (!(io->ready & IO_OUT))
        return SOCK_AGAIN;
    return l->below_ops->sendv(io, l->below, v, nv, sent);
}
