/* The answer's body goes to the client side; the request's may still be going the other way. */
#include "core/exchange/xchg.h"

/* A request body that fails once the answer has begun spoils only the connections, not the
 * answer. */
static void pump_request(struct xchg *x)
{
    if (x->request_done || xchg_pump_request(x))
        return;
    x->request_done = x->request_cut = true;
    x->fault = FAULT_NONE;
}

static enum fault source_fault(const struct xchg *x)
{
    enum fault f = x->is_local ? FAULT_NONE : (enum fault)x->upstream.fault;
    if (f == FAULT_NONE)
        return FAULT_response_truncated;
    return f == FAULT_bad_chunk || f == FAULT_bad_trailer ? FAULT_response_bad_chunk : f;
}

enum step_result xchg_relay(struct xchg *x)
{
    x->response = (struct relay){ .from = x->source,
                                  .tee = x->response.tee,
                                  .to = leg_sink(&x->client),
                                  .most = UINT64_MAX,
                                  .trailers = x->req.te_trailers };
    return xchg_go(x, STEP_relay);
}

enum step_result step_relay(struct xchg *x)
{
    pump_request(x);
    switch (relay_turn(&x->response)) {
    case RELAY_DONE: x->whole = true; return xchg_go(x, STEP_finish);
    case RELAY_WAIT_SOURCE:
    case RELAY_WAIT_SINK: return STEP_PARK;
    case RELAY_YIELD: xchg_again(x); return STEP_PARK;
    case RELAY_SOURCE_FAULT: return xchg_fail(x, source_fault(x));
    default:
        return xchg_fail(x, x->client.refusal ? (enum fault)x->client.refusal : FAULT_client_reset);
    }
}
