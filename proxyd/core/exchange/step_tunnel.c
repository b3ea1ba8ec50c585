/* Where an exchange ends and a tunnel begins: CONNECT answered with 200, by us or by the proxy that
 * we have asked, or the origin's 101. */
#include "core/exchange/account.h"
#include "core/conn/target.h"
#include "core/exchange/tunnel.h"
#include "core/exchange/xchg.h"

/* Of an intercepted client that has begun, what it began with is known. */
static bool is_to_be_inspected(const struct xchg *x)
{
    return x->req.method == METHOD_CONNECT && x->role->inspect &&
           (likely(x->intercepted == NULL) || x->intercepted->hello == HELLO_MORE);
}

static enum step_result become_tunnel(struct xchg *x)
{
    struct tunnel *t = x->tunnel;
    bool inspect = is_to_be_inspected(x);
    account_detach(x, tunnel_record(t));
    struct tunnel_end client = x->client.ops->detach(&x->client),
                      upstream = x->upstream.ops->detach(&x->upstream);
    if (inspect)
        tunnel_hold(t);
    tunnel_begin(&x->tunnel, client, upstream);
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
    if (!xchg_reserve_tunnel(x, SLICE("")))
        return xchg_fail(x, FAULT_out_of_memory);
    if (unlikely(x->resp.status)) { /* of the proxy that was asked for it */
        x->upstream.ops->head_done(&x->upstream);
        xchg_new_response(x);
    }
    x->resp.response = true;
    x->resp.method = METHOD_CONNECT;
    x->resp.status = 200;
    x->resp.reason = SLICE("Connection established");
    switch (x->client.ops->put_head(&x->client, &x->resp)) {
    case FLOW_OK: break;
    case FLOW_WAIT: return STEP_PARK;
    default: return xchg_fail(x, FAULT_client_reset);
    }
    x->status = 200;
    x->answered = true;
    x->first_us = x->worker->loop.now.mono_us;
    return become_tunnel(x);
}

enum step_result step_switched(struct xchg *x)
{
    return become_tunnel(x);
}
