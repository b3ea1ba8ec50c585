#include "tests/xor_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct xor_layer {
    struct layer layer; /* first */
    struct peer_identity peer;
    size_t split;
    size_t from, to;              /* of in: decoded and not taken */
    size_t promised, sent;        /* of out: encoded; how many of them are below */
    bool hello_sent, hello_heard; /* the handshake */
    char in[2 * XOR_MOST], out[XOR_MOST];
};

static struct xor_layer *xor_of(struct layer *l)
{
    return container_of(l, struct xor_layer, layer);
}

static enum sock_result xor_handshake(struct io *io, struct layer *l)
{
    struct xor_layer *x = xor_of(l);
    unsigned char byte = XOR_HELLO;
    struct iovec v = { &byte, 1 };
    size_t n;
    if (!x->hello_sent) {
        enum sock_result r = layer_sendv(io, l, &v, 1, &n);
        if (r != SOCK_OK)
            return r;
        x->hello_sent = true;
    }
    if (!x->hello_heard) {
        enum sock_result r = layer_recv(io, l, &byte, 1, &n);
        if (r != SOCK_OK)
            return r;
        if (byte != XOR_HELLO)
            return SOCK_ERROR;
        x->hello_heard = true;
    }
    return SOCK_OK;
}

static enum sock_result xor_recv(struct io *io, struct layer *l, void *p, size_t n, size_t *got)
{
    struct xor_layer *x = xor_of(l);
    if (x->from == x->to) {
        size_t more;
        enum sock_result r = layer_recv(io, l, x->in, sizeof x->in, &more);
        if (r != SOCK_OK)
            return r;
        for (size_t i = 0; i < more; i++)
            x->in[i] ^= XOR_KEY;
        x->from = 0;
        x->to = more;
    }
    if (n > x->to - x->from)
        n = x->to - x->from;
    if (n > x->split)
        n = x->split;
    memcpy(p, x->in + x->from, n);
    x->from += n;
    *got = n;
    return SOCK_OK;
}

/* The first bytes of v, at most a split; or a look whether they are those that were promised. */
static void encode(struct xor_layer *x, const struct iovec *v, unsigned nv)
{
    size_t most = x->promised ? x->promised : x->split, n = 0;
    for (unsigned i = 0; i < nv; i++)
        for (size_t k = 0; k < v[i].iov_len && n < most; k++, n++) {
            char c = ((const char *)v[i].iov_base)[k] ^ XOR_KEY;
            must(x->promised == 0 || x->out[n] == c);
            x->out[n] = c;
        }
    must(x->promised == 0 || n == x->promised);
    x->promised = n;
}

static enum sock_result xor_sendv(struct io *io, struct layer *l, const struct iovec *v,
                                  unsigned nv, size_t *sent)
{
    struct xor_layer *x = xor_of(l);
    encode(x, v, nv);
    while (x->sent < x->promised) {
        struct iovec rest = { x->out + x->sent, x->promised - x->sent };
        size_t n = 0;
        enum sock_result r = layer_sendv(io, l, &rest, 1, &n);
        if (r != SOCK_OK)
            return r;
        x->sent += n;
    }
    *sent = x->promised;
    x->promised = x->sent = 0;
    return SOCK_OK;
}

static enum sock_result xor_shutdown(struct io *io, struct layer *l)
{
    return xor_of(l)->promised ? SOCK_AGAIN : l->below_ops->shutdown(io, l->below);
}

static void xor_reset(struct io *io, struct layer *l)
{
    l->below_ops->reset(io, l->below);
}

static size_t xor_pending(const struct layer *l)
{
    const struct xor_layer *x = (const struct xor_layer *)l;
    return x->to - x->from;
}

static enum sock_result xor_quiet(struct io *io, struct layer *l)
{
    return xor_pending(l) ? SOCK_OK : l->below_ops->quiet(io, l->below);
}

static const struct peer_identity *xor_identity(const struct layer *l)
{
    return &((const struct xor_layer *)l)->peer;
}

static void xor_close(struct layer *l)
{
    free(xor_of(l));
}

const struct stream_ops xor_stream = {
    .name = "xor",
    .flags = STREAM_IDLE,
    .handshake = xor_handshake,
    .recv = xor_recv,
    .sendv = xor_sendv,
    .shutdown = xor_shutdown,
    .reset = xor_reset,
    .quiet = xor_quiet,
    .pending = xor_pending,
    .identity = xor_identity,
    .close = xor_close,
};

bool xor_push(struct stream *s, size_t split)
{
    struct xor_layer *x = calloc(1, sizeof *x);
    must(split > 0 && split <= XOR_MOST);
    if (x == NULL)
        return false;
    x->split = split;
    x->peer.alpn = SLICE("http/1.1");
    stream_push(s, &xor_stream, &x->layer);
    return true;
}
