/* Where an exchange ends and a tunnel begins: CONNECT answered with 200, or the origin's 101. */
#include "core/account.h"
#include "core/conn_end.h"
#include "core/target.h"
#include "core/tunnel.h"
#include "core/xchg.h"
#include "http/h1_write.h"

static enum step_result become_tunnel(struct xchg *x)
{
    struct conn *client = x->client.conn, *upstream = x->upstream.conn;
    struct tunnel *t = x->tunnel;
    account_detach(x, tunnel_record(t));
    x->client.conn = x->upstream.conn = NULL;
    tunnel_begin(&x->tunnel, client_end(client), upstream_end(upstream));
    if (unlikely(x->snap != x->worker->snapshot))
        tunnel_recheck(t);
    target_rest(x->target);
    target_put(x->worker, &x->target);
    xchg_free(x);
    return STEP_OVER;
}

bool xchg_reserve_tunnel(struct xchg *x, struct slice protocol)
{
    if (x->tunnel == NULL)
        x->tunnel = tunnel_reserve(x->worker, account_reserve(x, protocol));
    return x->tunnel != NULL;
}

enum step_result step_established(struct xchg *x)
{
    struct text t;
    if (!xchg_reserve_tunnel(x, SLICE("")))
        return xchg_fail(x, FAULT_out_of_memory);
    x->resp.response = true;
    x->resp.method = METHOD_CONNECT;
    x->resp.status = 200;
    x->resp.reason = SLICE("Connection established");
    if (!conn_room(x->client.conn, h1_head_room(&x->resp), &t))
        return STEP_PARK;
    h1_write_head(&t, &x->resp, x->req.minor, false);
    conn_wrote(x->client.conn, &t);
    x->status = 200;
    x->answered = true;
    x->first_us = x->worker->loop.now.mono_us;
    return become_tunnel(x);
}

enum step_result step_switched(struct xchg *x)
{
    return become_tunnel(x);
}
