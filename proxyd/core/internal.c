#include "core/internal.h"

#include <stdlib.h>

#include "base/must.h"
#include "core/server.h"
#include "core/snapshot.h"

/* The layer on no descriptor: the requester takes its place. */
struct memory_end {
    struct layer layer; /* first */
    const struct requester *requester;
    bool write_failed;
};

static enum sock_result memory_recv(struct io *io, struct layer *l, void *p, size_t n, size_t *got)
{
    (void)l;
    (void)p;
    (void)n;
    (void)got;
    io->ready &= (u8)~IO_IN;
    return SOCK_AGAIN; /* the request was whole from the start */
}

static enum sock_result memory_sendv(struct io *io, struct layer *l, const struct iovec *v,
                                     unsigned nv, size_t *sent)
{
    struct memory_end *e = container_of(l, struct memory_end, layer);
    (void)io;
    *sent = 0;
    for (unsigned i = 0; i < nv; i++) {
        if (e->write_failed ||
            !e->requester->bytes(e->requester->self,
                                 (struct slice){ v[i].iov_base, v[i].iov_len })) {
            e->write_failed = true;
            return SOCK_ERROR;
        }
        *sent += v[i].iov_len;
    }
    return SOCK_OK;
}

static enum sock_result memory_shutdown(struct io *io, struct layer *l)
{
    (void)io;
    (void)l;
    return SOCK_OK;
}

/* The requester is told by `end` whether it has all. */
static void memory_reset(struct io *io, struct layer *l)
{
    (void)io;
    (void)l;
}

static enum sock_result memory_quiet(struct io *io, struct layer *l)
{
    (void)io;
    (void)l;
    return SOCK_AGAIN;
}

static void memory_close(struct layer *l)
{
    free(container_of(l, struct memory_end, layer));
}

static const struct stream_ops stream_memory = {
    .name = "memory",
    .recv = memory_recv,
    .sendv = memory_sendv,
    .shutdown = memory_shutdown,
    .reset = memory_reset,
    .quiet = memory_quiet,
    .close = memory_close,
};

bool conn_is_internal(const struct conn *c)
{
    return c->stream.ops == &stream_memory;
}

bool internal_open(struct worker *w, const struct listen_addr *at, struct slice request,
                   const struct requester *requester)
{
    if (w->draining || snapshot_listener(w->snapshot, at) == NULL)
        return false;
    struct memory_end *e = calloc(1, sizeof *e);
    struct conn *c = e ? conn_new_memory(w, &stream_memory, &e->layer, &new_client, request) : NULL;
    if (c == NULL) {
        free(e);
        return false;
    }
    e->requester = requester;
    c->at = at;
    list_push_back(&w->client_conns, &c->link);
    c->user->ready(c);
    must(c->user != &new_client || c->in == NULL); /* else the request was not whole */
    return true;
}

void internal_end(struct conn *c, bool whole)
{
    const struct requester *requester =
        container_of(c->stream.top, struct memory_end, layer)->requester;
    conn_close(c);
    requester->end(requester->self, whole);
}
