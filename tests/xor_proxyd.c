/*
 * proxyd with the XOR layer on both sides, as it would have TLS: a transport on every listener, a
 * connector on every profile. Linked with -Wl,--wrap=client_accept,--wrap=profile_intern. The
 * environment's XOR_SPLITS ("1 2 64") are the splits, taken in turn by the connections.
 */
#include <stdlib.h>
#include <string.h>

#include "core/conn/conn.h"
#include "core/conn/dial.h"
#include "core/listener.h"
#include "core/conn/profile.h"
#include "core/codec/server.h"
#include "core/common/snapshot.h"
#include "tests/xor_stream.h"

static size_t next_split(void)
{
    static _Atomic unsigned turn;
    size_t split[128], n = 0;
    const char *p = getenv("XOR_SPLITS");
    for (char *end; p && n < countof(split) && (split[n] = strtoul(p, &end, 10)) > 0; p = end)
        n++;
    return n ? split[turn++ % n] : XOR_MOST;
}

static bool transport(const struct listener *l, struct stream *s)
{
    (void)l;
    return xor_push(s, next_split());
}

static enum connect_result connect_xor(struct dial *d, struct conn *c, enum fault *fault)
{
    (void)d;
    if (c->stream.top == NULL && !xor_push(&c->stream, next_split())) {
        *fault = FAULT_out_of_memory;
        return CONNECT_FAULT;
    }
    switch (stream_handshake(&c->stream)) {
    case SOCK_OK: return CONNECT_OK;
    case SOCK_AGAIN: return CONNECT_WAIT;
    default: return CONNECT_FAULT;
    }
}

static const struct connector xor_connector = { .name = "xor", .run = connect_xor };
static const struct connector *const chain[] = { &xor_connector, NULL };

void __real_client_accept(struct worker *w, const struct listen_addr *at, int fd,
                          const struct addr *peer);
void __wrap_client_accept(struct worker *w, const struct listen_addr *at, int fd,
                          const struct addr *peer);
const struct conn_profile *__real_profile_intern(const struct conn_profile *like);
const struct conn_profile *__wrap_profile_intern(const struct conn_profile *like);

void __wrap_client_accept(struct worker *w, const struct listen_addr *at, int fd,
                          const struct addr *peer)
{
    struct listener *l = w->snapshot->by_slot[at->slot];
    l->transport = transport;
    __real_client_accept(w, at, fd, peer);
}

const struct conn_profile *__wrap_profile_intern(const struct conn_profile *like)
{
    struct conn_profile with = *like;
    with.chain = chain;
    return __real_profile_intern(&with);
}
