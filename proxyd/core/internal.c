#include "core/internal.h"

#include <stdlib.h>

#include "base/must.h"
#include "core/server.h"
#include "core/snapshot.h"

/* What conn->stream.below points to: the requester takes the place of a lower stream. */
struct memory_end {
    struct stream stream; /* never registered */
    const struct requester *requester;
    bool write_failed;
};

static enum sock_result memory_recv(struct stream *s, void *p, size_t n, size_t *got)
{
    (void)p;
    (void)n;
    (void)got;
    s->io.ready &= (u8)~IO_IN;
    return SOCK_AGAIN; /* the request was whole from the start */
}

static enum sock_result memory_sendv(struct stream *s, const struct iovec *v, unsigned nv,
                                     size_t *sent)
{
    struct memory_end *e = container_of(s->below, struct memory_end, stream);
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

static const struct stream_ops stream_memory = { "memory", memory_recv, memory_sendv, false };

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
    struct conn *c =
        e ? conn_new_memory(w, &stream_memory, &e->stream, &new_client, request) : NULL;
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
    struct memory_end *e = container_of(c->stream.below, struct memory_end, stream);
    const struct requester *requester = e->requester;
    free(e);
    conn_close(c);
    requester->end(requester->self, whole);
}
