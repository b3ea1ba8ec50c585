/*
 * Waiting for the answer's head while the request body still goes out. Interim answers pass
 * through; an idle connection that turns out stale is replaced once.
 */
#include "core/exchange/retry.h"
#include "core/conn/target.h"
#include "core/exchange/xchg.h"

enum head_result { HEAD_NONE, HEAD_WAIT, HEAD_INTERIM, HEAD_FINAL, HEAD_FAULT };

/* The upstream side gave up before a head was complete. */
static enum step_result lost(struct xchg *x)
{
    if (x->via_idle && x->upstream.bytes_in == 0)
        idle_lost(x->worker, x->target, x->rested_ms);
    if (retry_rewind(x))
        return xchg_go(x, STEP_dial);
    enum fault f =
        x->upstream.gone || x->request_cut ? FAULT_upstream_reset : FAULT_upstream_closed;
    return retry_unanswered(x, f) ? xchg_go(x, STEP_where) : xchg_fail(x, f);
}

static enum head_result pass_interim(struct xchg *x)
{
    if (x->client.minor == 0)
        return HEAD_INTERIM;
    if (!x->resp_edited && !x->role->edit_response(x)) {
        x->fault = FAULT_out_of_memory;
        return HEAD_FAULT;
    }
    x->resp_edited = true;
    if (x->client.ops->put_head(&x->client, &x->resp) == FLOW_WAIT)
        return HEAD_WAIT;
    x->deadline[DEADLINE_REQUEST].waits = WAITS_NOTHING; /* the client may have waited for it */
    stat_add(x->worker->stats, STAT_responses_1xx, 1);
    return HEAD_INTERIM;
}

static enum head_result interim(struct xchg *x)
{
    if (x->resp.status == 101)
        return x->req.upgrade_websocket && x->resp.upgrade_websocket
                   ? HEAD_FINAL
                   : (x->fault = FAULT_response_bad_upgrade, HEAD_FAULT);
    if (x->interim == MOST_INTERIM) {
        x->fault = FAULT_response_malformed;
        return HEAD_FAULT;
    }
    enum head_result r = pass_interim(x);
    if (r != HEAD_INTERIM)
        return r;
    x->interim++;
    x->upstream.ops->head_done(&x->upstream);
    xchg_new_response(x);
    return HEAD_INTERIM;
}

static enum head_result read_head(struct xchg *x)
{
    enum flow f = FLOW_OK;
    if (x->resp.status == 0) /* else it has waited for room */
        f = x->upstream.ops->head(&x->upstream, &x->resp, x->req.method);
    switch (f) {
    case FLOW_OK: return x->resp.status < 200 ? interim(x) : HEAD_FINAL;
    case FLOW_WAIT: return x->request_cut && !x->upstream.memory ? HEAD_NONE : HEAD_WAIT;
    default: x->fault = (enum fault)x->upstream.fault; return x->fault ? HEAD_FAULT : HEAD_NONE;
    }
}

/* Nothing of its words is repeated: they are for us. */
void xchg_refused_by_parent(struct xchg *x)
{
    enum { REASON = 64 };
    char *area = arena_try(&x->arena, REASON);
    x->fault = FAULT_parent_refused;
    if (area == NULL)
        return;
    struct text t = text_in(area, REASON);
    text_lit(&t, "its answer was ");
    text_u64(&t, x->resp.status);
    text_char(&t, ' ');
    text_add(&t, status_reason(x->resp.status));
    x->reason = text_slice(&t);
}

/* A proxy was asked for a tunnel. What it says instead of yes is no answer of the destination. */
static enum step_result tunnel_or_not(struct xchg *x)
{
    if (x->resp.status / 100 == 2)
        return xchg_go(x, STEP_established);
    xchg_refused_by_parent(x);
    return xchg_fail(x, x->fault);
}

static enum step_result answered(struct xchg *x)
{
    x->first_us = x->worker->loop.now.mono_us;
    return likely(x->req.method != METHOD_CONNECT) ? xchg_go(x, STEP_judge) : tunnel_or_not(x);
}

enum step_result step_await(struct xchg *x)
{
    if (!xchg_pump_request(x))
        return xchg_fail(x, x->fault);
    for (;;) {
        /* An interim answer that the client has not taken yet. The next head waits for it: an
         * origin has many of them, and room is for one. */
        enum flow f = x->client.unsent ? x->client.ops->out.flush(&x->client) : FLOW_OK;
        if (f != FLOW_OK)
            return f == FLOW_WAIT ? STEP_PARK : xchg_fail(x, FAULT_client_reset);
        switch (read_head(x)) {
        case HEAD_FINAL: return answered(x);
        case HEAD_FAULT: return xchg_fail(x, x->fault);
        case HEAD_WAIT: return STEP_PARK;
        case HEAD_INTERIM: continue;
        case HEAD_NONE: return lost(x);
        }
    }
}
