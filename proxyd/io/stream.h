/*
 * A byte stream over a descriptor: what a connection reads and writes, plain, or through layers
 * such as TLS, or TLS in TLS. There is one io for the whole stack: it is passed to every operation
 * and never stored, so a connection can change its loop, and ready bits are those of the descriptor
 * at every layer.
 *
 * The hard thing is that a layer may hold bytes for which no event will come: a record of 16 kB is
 * read whole and taken in parts. IO_BUFFERED stands for them: set by every read from below that
 * brought bytes (layer_recv), cleared only when the top's recv says SOCK_AGAIN. Whoever may stop
 * before that looks at it as at IO_IN. It may be set when nothing is held, which costs one recv
 * without a system call; it is never clear when something is.
 *
 * Bytes offered to a layer that has returned SOCK_AGAIN are promised: the next sendv begins with
 * the same, or the stream is reset. An end of the descriptor that the layer's own protocol has not
 * announced is SOCK_ERROR, never SOCK_END: a body until close must not look whole.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/slice.h"
#include "io/sock.h"

struct stream_ops;

/* First member of a layer's state; a plain stream has none. */
struct layer {
    const struct stream_ops *below_ops;
    struct layer *below; /* NULL: below_ops is the descriptor's */
};

enum stream_flag {
    STREAM_SPLICE = 1, /* its bytes are the descriptor's own */
    STREAM_IDLE = 2,   /* may rest idle and serve others afterwards */
    STREAM_MOVE = 4    /* may go to another thread as a bare descriptor while it rests */
};

/* Whom a layer has found at the other end; slices live as long as the layer. */
struct peer_identity {
    struct slice alpn; /* protocol agreed on; empty: none */
    struct slice name; /* that the peer has asked for, or has proved to be; empty: none */
};

struct stream_ops {
    const char *name;
    unsigned flags; /* enum stream_flag */
    /* SOCK_OK: done; SOCK_AGAIN: call at the next event. NULL: there is none. */
    enum sock_result (*handshake)(struct io *io, struct layer *l);
    enum sock_result (*recv)(struct io *io, struct layer *l, void *p, size_t n, size_t *got);
    enum sock_result (*sendv)(struct io *io, struct layer *l, const struct iovec *v, unsigned nv,
                              size_t *sent);
    /* Bytes, and then a piece of a file: sock_sendfile. NULL: bytes only. */
    enum sock_result (*sendfile)(struct io *io, struct layer *l, struct slice head,
                                 const struct extent *e, size_t *sent);
    /* The orderly end of what we send; call again on SOCK_AGAIN. */
    enum sock_result (*shutdown)(struct io *io, struct layer *l);
    /* The close that follows is abrupt. */
    void (*reset)(struct io *io, struct layer *l);
    /* SOCK_AGAIN: nothing has come, SOCK_OK: bytes have. Takes no data. */
    enum sock_result (*quiet)(struct io *io, struct layer *l);
    /* Decoded and not taken, here and below. NULL: never any. */
    size_t (*pending)(const struct layer *l);
    /* Readiness has changed; called before the connection's user is. NULL: the bits say all. */
    void (*event)(struct io *io, struct layer *l);
    const struct peer_identity *(*identity)(const struct layer *l); /* NULL: nobody known */
    void (*close)(struct layer *l); /* frees the state; the descriptor is the loop's. NULL: none */
};

struct stream {
    struct io io;
    const struct stream_ops *ops; /* of the top */
    struct layer *top;            /* NULL: the plain stream */
};

extern const struct stream_ops stream_plain;

/* Lays l on top; it belongs to the stream from now on. */
void stream_push(struct stream *s, const struct stream_ops *ops, struct layer *l);
/* Frees the layers, the top first. */
void stream_close(struct stream *s);
enum sock_result stream_recv_layered(struct stream *s, void *p, size_t n, size_t *got);
size_t stream_pending_layered(const struct stream *s);
enum sock_result stream_handshake(struct stream *s);
/* NULL: no layer knows anybody. */
const struct peer_identity *stream_identity(const struct stream *s);

/* For layers. Reads and writes what is below; the descriptor only while its ready bit is set. */
enum sock_result layer_recv(struct io *io, struct layer *l, void *p, size_t n, size_t *got);
enum sock_result layer_sendv(struct io *io, struct layer *l, const struct iovec *v, unsigned nv,
                             size_t *sent);

static inline enum sock_result stream_recv(struct stream *s, void *p, size_t n, size_t *got)
{
    if (likely(s->top == NULL))
        return s->ops->recv(&s->io, NULL, p, n, got);
    return stream_recv_layered(s, p, n, got);
}
static inline enum sock_result stream_sendv(struct stream *s, const struct iovec *v, unsigned nv,
                                            size_t *sent)
{
    return s->ops->sendv(&s->io, s->top, v, nv, sent);
}
/* SOCK_END also where a layer has to see the bytes. */
static inline enum sock_result stream_sendfile(struct stream *s, struct slice head,
                                               const struct extent *e, size_t *sent)
{
    return s->ops->sendfile ? s->ops->sendfile(&s->io, s->top, head, e, sent) : SOCK_END;
}
static inline enum sock_result stream_shutdown(struct stream *s)
{
    return s->ops->shutdown(&s->io, s->top);
}
/* What has come, at most n bytes, without taking it; *got is 0 when there is nothing. For a stream
 * without layers: what is not taken here is the first that a layer pushed later on will read.
 * SOCK_END, SOCK_ERROR: nothing is there, nor will be. */
enum sock_result stream_peek(struct stream *s, void *p, size_t n, size_t *got);
static inline void stream_reset(struct stream *s)
{
    s->ops->reset(&s->io, s->top);
}
static inline enum sock_result stream_quiet(struct stream *s)
{
    return s->ops->quiet(&s->io, s->top);
}
static inline size_t stream_pending(const struct stream *s)
{
    return likely(s->top == NULL) ? 0 : stream_pending_layered(s);
}
static inline void stream_event(struct stream *s)
{
    if (unlikely(s->top != NULL) && s->ops->event)
        s->ops->event(&s->io, s->top);
}
static inline bool stream_may(const struct stream *s, enum stream_flag flag)
{
    return s->ops->flags & flag;
}
/* The descriptor, for splice; NULL: the stream's bytes are not the descriptor's own. */
static inline struct io *stream_whole(struct stream *s)
{
    return stream_may(s, STREAM_SPLICE) ? &s->io : NULL;
}

#endif
