/*
 * A byte stream over a descriptor: what a connection reads and writes, plain today, TLS or TLS in
 * TLS as further layers. A layer keeps its own state and reaches the bytes through `below`; the
 * lowest one, `stream_plain`, has none and calls the socket. io stays the first member and the
 * only thing the loop knows, so ready bits mean the descriptor's readiness at every layer.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "io/sock.h"

struct stream;

struct stream_ops {
    const char *name;
    enum sock_result (*recv)(struct stream *s, void *p, size_t n, size_t *got);
    enum sock_result (*sendv)(struct stream *s, const struct iovec *v, unsigned nv, size_t *sent);
    bool whole; /* bytes are the descriptor's own: splice may take over */
};

struct stream {
    struct io io;
    const struct stream_ops *ops;
    struct stream *below; /* NULL: the descriptor */
};

extern const struct stream_ops stream_plain;

static inline enum sock_result stream_recv(struct stream *s, void *p, size_t n, size_t *got)
{
    return s->ops->recv(s, p, n, got);
}
static inline enum sock_result stream_sendv(struct stream *s, const struct iovec *v, unsigned nv,
                                            size_t *sent)
{
    return s->ops->sendv(s, v, nv, sent);
}

#endif
