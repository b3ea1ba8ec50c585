/* Where an exchange ends and a tunnel begins: CONNECT answered with 200, or the origin's 101. */
#include "core/target.h"
#include "core/tunnel.h"
#include "http/h1_write.h"

static enum step_result become_tunnel(struct xchg *x)
{
    struct worker *w = x->worker;
    if (!tunnel_start(x)) {
        x->client.keep = false;
        x->client.out.kind = BODY_UNTIL_CLOSE;
        stream_reset(&x->upstream.conn->stream);
        x->fault = FAULT_out_of_memory; /* what has been promised cannot be kept: both are reset */
        return xchg_go(x, STEP_finish);
    }
    target_rest(x->target);
    target_put(w, &x->target);
    xchg_free(x);
    return STEP_OVER;
}

enum step_result step_established(struct xchg *x)
{
    struct text t;
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
