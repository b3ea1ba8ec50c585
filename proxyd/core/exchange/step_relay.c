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

/* The copy leads: what comes goes into it, and the client is served from it. */
static void start_feed(struct xchg *x)
{
    x->feed->to = leg_sink(&x->client);
    x->feed->most = UINT64_MAX;
    x->response.to = x->response.tee;
    x->response.tee.ops = NULL;
}

enum step_result xchg_relay(struct xchg *x)
{
    x->response = (struct relay){ .from = x->source,
                                  .tee = x->response.tee,
                                  .to = leg_sink(&x->client),
                                  .most = UINT64_MAX,
                                  .trailers = x->req.te_trailers };
    if (unlikely(x->feed))
        start_feed(x);
    return xchg_go(x, STEP_relay);
}

void relay_stop_copy(struct xchg *x, enum fault why)
{
    x->filled = x->stopped = true;
    x->copy_fault = (u8)why;
    x->response.to.ops->drop(x->response.to.self, why);
}

/* True: it goes on in the next turn. */
static bool fill_copy(struct xchg *x)
{
    switch (x->filled ? RELAY_WAIT_SOURCE : relay_turn(&x->response)) {
    case RELAY_WAIT_SOURCE:
    case RELAY_WAIT_SINK: break;
    case RELAY_YIELD: return true;
    case RELAY_DONE:
        x->filled = true;
        xchg_release_upstream(x); /* its client may be slow, or have more to come from elsewhere */
        break;
    case RELAY_SOURCE_FAULT: relay_stop_copy(x, source_fault(x)); break;
    default: relay_stop_copy(x, FAULT_NONE);
    }
    return false;
}

/* The client has all that the copy had, and gets the rest as it comes. */
static void leave_copy(struct xchg *x)
{
    source_close(&x->feed->from);
    x->feed = NULL;
    x->response.to = leg_sink(&x->client);
}

__attribute__((noinline)) static enum step_result relay_by_copy(struct xchg *x)
{
    bool again = fill_copy(x);
    switch (relay_turn(x->feed)) {
    case RELAY_DONE:
        x->whole = true;
        if (likely(x->filled)) /* else it wanted a part alone */
            return xchg_go(x, STEP_finish);
        lookup_served(x);
        again = true;
        break;
    case RELAY_WAIT_SOURCE:
    case RELAY_WAIT_SINK: break;
    case RELAY_YIELD: again = true; break;
    case RELAY_SOURCE_FAULT:
        if (x->copy_fault || !x->stopped)
            return xchg_fail(x,
                             x->copy_fault ? (enum fault)x->copy_fault : FAULT_response_truncated);
        leave_copy(x);
        again = true;
        break;
    default:
        return xchg_fail(x, x->client.refusal ? (enum fault)x->client.refusal : FAULT_client_reset);
    }
    if (again)
        xchg_again(x);
    return STEP_PARK;
}

/* What a store gives the rest from, if it can. */
__attribute__((noinline)) static enum step_result go_on(struct xchg *x)
{
    if (!lookup_goes_on(x))
        return xchg_fail(x, source_fault(x));
    x->response.from = x->source;
    xchg_again(x);
    return STEP_PARK;
}

enum step_result step_relay(struct xchg *x)
{
    pump_request(x);
    if (unlikely(x->feed))
        return relay_by_copy(x);
    switch (relay_turn(&x->response)) {
    case RELAY_DONE: x->whole = true; return xchg_go(x, STEP_finish);
    case RELAY_WAIT_SINK:
        /* The client alone is slow. Trailers that it has not got yet lie with the connection. */
        if (x->upstream.in_done && x->request_done && x->upstream.trailers == NULL)
            xchg_release_upstream(x);
        return STEP_PARK;
    case RELAY_WAIT_SOURCE: return STEP_PARK;
    case RELAY_YIELD: xchg_again(x); return STEP_PARK;
    case RELAY_SOURCE_FAULT: return go_on(x);
    default:
        return xchg_fail(x, x->client.refusal ? (enum fault)x->client.refusal : FAULT_client_reset);
    }
}
