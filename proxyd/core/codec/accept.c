/*
 * From an accepted descriptor to a client that a head is awaited from: whether there is a place for
 * it, and what its listener lays on the connection first.
 */
#include "core/codec/server.h"

#include "core/conf.h"
#include "core/codec/front.h"
#include "core/codec/reject.h"
#include "core/common/snapshot.h"
#include "core/conn/client_count.h"
#include "core/conn/codec.h"
#include "core/exchange/role.h"

static struct conn *admit(struct worker *w, const struct listen_addr *at, int fd,
                          const struct addr *peer)
{
    struct conn *c = conn_new(w, fd, peer, &client_new_user);
    if (c == NULL)
        return NULL;
    c->at = at;
    list_push_back(&w->client_conns, &c->link);
    atomic_fetch_add_explicit(&w->open, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->engine->clients, 1, memory_order_relaxed);
    stat_add(w->stats, STAT_connections_total, 1);
    stat_add(w->stats, STAT_connections_open, 1);
    if (likely(at->counts))
        counter_add(&at->counts[w->id].open, 1);
    return c;
}

/* The listener's layer comes first; the time that a head may take runs already. */
static void handshake_ready(struct conn *c)
{
    enum sock_result r = stream_handshake(&c->stream);
    if (r == SOCK_AGAIN)
        return;
    const struct codec *codec = r == SOCK_OK ? codec_of(c) : NULL;
    if (codec)
        codec->serve(c);
    else
        client_close(c);
}

static void handshake_drain(struct conn *c, enum drain_state how)
{
    (void)how;
    client_close(c);
}

const struct conn_user client_handshake_user = { "handshake", handshake_ready, client_close,
                                                 handshake_drain, BUF_FOR_NEWCOMER };

/* As its listener wants it. False: no memory. */
static bool set_up(struct conn *c, const struct listener *l)
{
    if (l && unlikely(l->role->intercepts) &&
        c->worker->snapshot->conf.timeouts.head > CLIENT_SILENCE_MS)
        conn_wait(c, WAIT_SILENCE, CLIENT_SILENCE_MS);
    if (l == NULL || likely(l->transport == NULL))
        return true;
    conn_hand(c, &client_handshake_user, NULL);
    return l->transport(l, &c->stream);
}

void client_begin(struct conn *c)
{
    conn_hand(c, &client_new_user, NULL);
    if (!set_up(c, client_listener(c))) {
        stat_fault(c->worker->stats, FAULT_out_of_memory);
        client_close(c);
        return;
    }
    c->user->ready(c);
}

void client_accept(struct worker *w, const struct listen_addr *at, int fd, const struct addr *peer)
{
    const struct conf *cf = &w->snapshot->conf;
    const struct listener *l = snapshot_listener(w->snapshot, at);
    bool front = l && unlikely(l->nfronts > 0) && front_is(l, peer);
    u32 most = front ? UINT32_MAX : cf->limits.clients_per_address;
    enum fault f = client_count_enter(w->engine->client_count, peer, most);
    if (f) {
        if (f == FAULT_too_many_from_address)
            client_log_crowd(w, peer);
        client_reject(w, fd, f);
        return;
    }
    if (!conn_affordable(w)) {
        client_count_leave(w->engine->client_count, peer);
        client_reject(w, fd, FAULT_out_of_memory);
        return;
    }
    struct conn *c = admit(w, at, fd, peer);
    if (c == NULL) {
        client_count_leave(w->engine->client_count, peer);
        stat_fault(w->stats, FAULT_out_of_memory);
        return;
    }
    conn_wait(c, WAIT_HEAD, cf->timeouts.head);
    if (unlikely(front))
        conn_hand(c, &front_user, NULL);
    else if (!set_up(c, l)) {
        stat_fault(w->stats, FAULT_out_of_memory);
        client_close(c);
    }
}
