/* The answer's head is known: may it pass, how is it framed on the client side, who may stay
 * connected. */
#include "core/exchange/local_reply.h"
#include "core/exchange/retry.h"
#include "core/exchange/store.h"
#include "core/exchange/tunnel.h"
#include "core/exchange/xchg.h"

/* From the answer as it came to the answer as it goes. */
static bool edit(struct xchg *x)
{
    if (!x->req.te_trailers) /* they end here, so nobody announces them */
        msg_remove(&x->resp, TOKEN_TRAILER);
    /* RFC 9110 section 6.6.1: whoever has a clock adds a Date */
    if (!x->role->edit_response(x) || (!msg_has(&x->resp, TOKEN_DATE) && !reply_date(x)))
        return false;
    x->resp_edited = true;
    return true;
}

/* The answer's fields are gone when the record is made. */
static void keep_type(struct xchg *x)
{
    struct slice type = msg_get(&x->resp, TOKEN_CONTENT_TYPE);
    char *copy = type.n ? arena_try(&x->arena, type.n) : NULL;
    if (copy == NULL)
        return;
    memcpy(copy, type.p, type.n);
    x->logged_type = (struct slice){ copy, type.n };
}

enum flow xchg_put_head(struct xchg *x)
{
    enum flow f = x->client.ops->put_head(&x->client, &x->resp);
    if (f != FLOW_OK)
        return f;
    if (unlikely(x->client.out_done) && x->is_local) { /* HEAD */
        x->reply_rest.n = 0;
        source_close(&x->source);
        x->source = text_source(&x->reply_rest);
    }
    x->status = x->resp.status;
    if (x->worker->snapshot->conf.log_wants & WANT_TYPE)
        keep_type(x);
    x->answered = true;
    return FLOW_OK;
}

/* The response's body comes from the upstream leg. After an early answer it is not sure that
 * anybody takes the rest of the request's body, so the client's connection ends. */
static void take_head(struct xchg *x)
{
    x->source = leg_source(&x->upstream);
    x->client.last |= !x->client.in_done || xchg_is_last(x);
}

enum step_result step_judge(struct xchg *x)
{
    const struct stage *s;
    if (x->source.ops == NULL)
        take_head(x);
    for (; (s = x->role->response_stages[x->stage]) != NULL; x->stage++)
        switch (stage_run(x, s)) {
        case PASS: break;
        case PARKED: return STEP_PARK;
        default: return xchg_fail(x, x->fault);
        }
    if (likely(!x->resp_edited)) {
        bool was_local = x->is_local;
        if (!lookup_begin_copy(x, &x->response.tee))
            return xchg_fail(x, FAULT_out_of_memory);
        if (unlikely(x->ask_again)) {
            retry_for_store(x);
            return xchg_go(x, STEP_dial);
        }
        if (unlikely(x->is_local != was_local)) { /* another one, which nobody has judged yet */
            x->stage = 0;
            return STEP_GO;
        }
        if (!edit(x))
            return xchg_fail(x, FAULT_out_of_memory);
    }
    bool switches = x->resp.status == 101;
    if (switches && !xchg_reserve_tunnel(x, SLICE("websocket")))
        return xchg_fail(x, FAULT_out_of_memory);
    enum flow f = xchg_put_head(x);
    if (f != FLOW_OK)
        return f == FLOW_WAIT ? STEP_PARK : xchg_fail(x, FAULT_client_reset);
    if (x->upstream.ops)
        x->upstream.ops->head_done(&x->upstream);
    return switches ? xchg_go(x, STEP_switched) : xchg_relay(x);
}
