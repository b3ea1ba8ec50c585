/* The request head goes to the upstream side, written anew; its body follows as it comes. */
#include "core/conf.h"
#include "core/exchange/xchg.h"

static bool add_max_forwards(struct xchg *x)
{
    struct text t;
    if (!x->has_max_forwards)
        return true;
    msg_remove(&x->req, TOKEN_MAX_FORWARDS);
    if (!msg_compose(&x->req, sizeof "Max-Forwards: 4294967295\r\n" + 20, &t))
        return false;
    text_lit(&t, "Max-Forwards: ");
    text_u64(&t, x->max_forwards);
    text_lit(&t, "\r\n");
    msg_keep_line(&x->req, TOKEN_MAX_FORWARDS, &t);
    return true;
}

/* From the request as it came to the request as it goes: once, for a request that is sent again has
 * been edited. */
static bool edit(struct xchg *x)
{
    if (!x->req_edited) {
        if (x->req.minor == 0) /* 1.0 has no expectations, and what goes out is 1.1 */
            msg_remove(&x->req, TOKEN_EXPECT);
        if (!x->role->edit_request(x) || !add_max_forwards(x))
            return false;
        x->req_edited = true;
    }
    if (!x->req_addressed) {
        if (!x->role->address_request(x))
            return false;
        x->req_addressed = true;
    }
    return true;
}

static void start_body(struct xchg *x)
{
    x->request = (struct relay){ .from = leg_source(&x->client),
                                 .to = leg_sink(&x->upstream),
                                 .most = x->snap->conf.limits.body,
                                 .trailers = true };
    x->request_done = x->request_cut = false;
}

enum step_result step_send(struct xchg *x)
{
    if (!edit(x))
        return xchg_fail(x, FAULT_out_of_memory);
    if (x->upstream.ops->put_head(&x->upstream, &x->req) == FLOW_WAIT)
        return STEP_PARK;
    start_body(x);
    return xchg_go(x, STEP_await);
}

bool xchg_pump_request(struct xchg *x)
{
    if (x->request_done)
        return true;
    switch (relay_turn(&x->request)) {
    case RELAY_DONE: x->request_done = true; return true;
    case RELAY_YIELD: xchg_again(x); return true;
    case RELAY_SINK_BROKEN: /* it may have answered before it closed: await looks */
        x->request_done = x->request_cut = true;
        return true;
    case RELAY_SOURCE_FAULT:
        x->fault = x->client.fault  ? (enum fault)x->client.fault
                   : x->client.gone ? FAULT_client_reset
                                    : FAULT_client_closed;
        return false;
    case RELAY_TOO_LARGE: x->fault = FAULT_body_too_large; return false;
    default: return true;
    }
}
