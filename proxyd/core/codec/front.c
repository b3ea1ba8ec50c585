/*
 * The header is looked at where the kernel has it, and exactly its bytes are taken: whatever reads
 * the connection afterwards, a layer too, begins with the client's first byte, and no buffer is
 * needed.
 *
 * Until the header has come the connection counts for its front, which no limit of connections per
 * address holds for; from then on it is the client's, who is refused here if he has too many.
 */
#include "core/codec/front.h"

#include "core/codec/reject.h"
#include "core/codec/server.h"
#include "core/common/snapshot.h"
#include "core/conn/client_count.h"
#include "core/exchange/role.h"
#include "http/proxy_header.h"

bool front_is(const struct listener *l, const struct addr *peer)
{
    for (u32 i = 0; i < l->nfronts; i++)
        if (cidr_has(&l->fronts[i], peer))
            return true;
    return false;
}

/* The connection is the client's from now on. */
static enum fault becomes(struct conn *c, const struct addr *client)
{
    struct worker *w = c->worker;
    struct client_count *count = w->engine->client_count;
    enum fault f = client_count_enter(count, client, w->snapshot->conf.limits.clients_per_address);
    if (f == FAULT_too_many_from_address) {
        client_log_crowd(w, client);
        stat_add(w->stats, STAT_connections_refused_total, 1);
        if (client_count_enter(count, client, UINT32_MAX) != FAULT_NONE) /* for its refusal */
            return FAULT_out_of_memory;
    } else if (f != FAULT_NONE) {
        return f;
    }
    client_count_leave(count, &c->peer);
    c->peer = *client;
    return f;
}

/* False: the connection has failed. */
static bool take(struct conn *c, size_t n)
{
    char header[PROXY_HEADER_MOST];
    for (size_t got; n > 0; n -= got) {
        if (stream_recv(&c->stream, header, n, &got) != SOCK_OK)
            return false;
        c->bytes_in += got;
    }
    return true;
}

/* Where clients are intercepted the front has done it, and knows where they were going. False: no
 * memory. */
static bool note_way(struct conn *c, const struct addr *server)
{
    const struct listener *l = client_listener(c);
    if (l == NULL || !l->role->intercepts || server->family == 0)
        return true;
    struct way_in *way = conn_intercepted(c);
    if (way)
        way->intercepted.original = *server;
    return way != NULL;
}

static void introduced(struct conn *c, const struct proxy_header_facts *header)
{
    if (!take(c, header->len)) {
        client_close(c);
        return;
    }
    stat_add(c->worker->stats, STAT_proxy_headers_total, 1);
    enum fault f = header->client.family ? becomes(c, &header->client) : FAULT_NONE;
    if (f == FAULT_NONE && !note_way(c, &header->server))
        f = FAULT_out_of_memory;
    if (f == FAULT_NONE)
        client_begin(c);
    else
        client_refuse(c, f);
}

/* What is not whole and has ended never will be. */
static void more(struct conn *c, size_t had, enum sock_result r)
{
    if (r == SOCK_ERROR || (had == 0 && r == SOCK_END))
        client_close(c);
    else if (c->stream.io.ready & (IO_HUP | IO_ERROR))
        client_refuse(c, FAULT_client_closed);
}

static void front_ready(struct conn *c)
{
    char first[PROXY_HEADER_MOST];
    struct proxy_header_facts header;
    size_t had;
    enum sock_result r = stream_peek(&c->stream, first, sizeof first, &had);
    switch (proxy_header_read((struct slice){ first, had }, &header)) {
    case PROXY_HEADER_MORE: more(c, had, r); return;
    case PROXY_HEADER_WHOLE: introduced(c, &header); return;
    case PROXY_HEADER_NONE: client_refuse(c, FAULT_proxy_header_missing); return;
    case PROXY_HEADER_BROKEN: client_refuse(c, FAULT_proxy_header_malformed); return;
    }
}

static bool has_begun(struct conn *c)
{
    return stream_quiet(&c->stream) == SOCK_OK;
}

/* A front that only looks whether we are there is told nothing. */
static void front_expired(struct conn *c)
{
    if (has_begun(c))
        client_refuse(c, FAULT_request_head_timeout);
    else
        client_close(c);
}

static void front_drain(struct conn *c, enum drain_state how)
{
    if (how == DRAIN_NOW || !has_begun(c))
        client_close(c);
}

const struct conn_user front_user = { "front", front_ready, front_expired, front_drain,
                                      BUF_FOR_NEWCOMER };
