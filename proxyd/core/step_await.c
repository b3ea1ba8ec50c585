/*
 * Waiting for the answer's head while the request body still goes out. Interim answers pass
 * through; an idle connection that turns out stale is replaced once.
 */
#include "base/must.h"
#include "core/server.h"
#include "core/retry.h"
#include "core/target.h"
#include "core/xchg.h"
#include "http/h1_write.h"

enum head_result { HEAD_NONE, HEAD_WAIT, HEAD_INTERIM, HEAD_FINAL, HEAD_FAULT };

/* The connection gave up before a head was complete. */
static enum step_result lost(struct xchg *x)
{
    if (x->via_idle && !x->upstream_seen)
        idle_lost(x->worker, x->target, x->rested_ms);
    if (retry_allowed(x)) {
        retry_rewind(x);
        return xchg_go(x, STEP_dial);
    }
    return xchg_fail(x, x->upstream.conn->read_failed || x->request_cut ? FAULT_upstream_reset
                                                                        : FAULT_upstream_closed);
}

static enum head_result pass_interim(struct xchg *x)
{
    struct text t;
    if (x->req.minor == 0)
        return HEAD_INTERIM;
    if (!x->resp_edited && !x->role->edit_response(x)) {
        x->fault = FAULT_out_of_memory;
        return HEAD_FAULT;
    }
    x->resp_edited = true;
    if (!conn_room(x->client.conn, h1_head_room(&x->resp), &t))
        return HEAD_WAIT;
    h1_write_head(&t, &x->resp, x->req.minor, false);
    must(!t.full);
    conn_wrote(x->client.conn, &t);
    x->deadline[DEADLINE_REQUEST].waits = WAITS_NOTHING; /* the client may have waited for it */
    stat_add(x->worker->stats, STAT_responses_1xx, 1);
    return HEAD_INTERIM;
}

static enum head_result interim(struct xchg *x, u32 len)
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
    x->upstream.conn->in->from += len;
    memset(&x->scan, 0, sizeof x->scan);
    xchg_new_response(x);
    return HEAD_INTERIM;
}

static enum head_result read_head(struct xchg *x)
{
    struct buf *in = x->upstream.conn->in;
    if (in == NULL || buf_len(in) == 0)
        return HEAD_NONE;
    struct head_limits limits = h1_head_limits(x->client.conn);
    const char *p = in->data + in->from;
    enum fault f = FAULT_NONE;
    u32 len = head_scan_answer(&x->scan, p, buf_len(in), &limits, true, &f);
    if (f != FAULT_NONE) {
        x->fault = head_fault_response(f);
        return HEAD_FAULT;
    }
    if (len == 0)
        return HEAD_NONE;
    if (x->resp.status == 0) /* else it has waited for room and is parsed already */
        x->fault = response_parse(&x->resp, p, len, &limits, x->req.method);
    if (x->fault != FAULT_NONE)
        return HEAD_FAULT;
    x->upstream.repairs |= x->resp.repairs;
    return x->resp.status < 200 ? interim(x, len) : HEAD_FINAL;
}

enum step_result step_await(struct xchg *x)
{
    struct conn *upstream = x->upstream.conn;
    if (!xchg_pump_request(x))
        return xchg_fail(x, x->fault);
    for (;;) {
        /* An interim answer that the client has not taken yet. The next head waits for it: an
         * origin has many of them, and room is for one. */
        enum sock_result r = conn_flush(x->client.conn);
        if (r != SOCK_OK)
            return r == SOCK_AGAIN ? STEP_PARK : xchg_fail(x, FAULT_client_reset);
        switch (read_head(x)) {
        case HEAD_FINAL: x->first_us = x->worker->loop.now.mono_us; return xchg_go(x, STEP_judge);
        case HEAD_FAULT: return xchg_fail(x, x->fault);
        case HEAD_WAIT: return STEP_PARK;
        case HEAD_INTERIM: continue;
        case HEAD_NONE: break;
        }
        if (upstream->eof || upstream->read_failed || (x->request_cut && !conn_readable(upstream)))
            return lost(x);
        if (!conn_readable(upstream))
            return STEP_PARK;
        if (conn_fill(upstream) == SOCK_AGAIN && (!x->request_cut || upstream->awaits_memory))
            return STEP_PARK;
        x->upstream_seen = x->upstream_seen || upstream->in != NULL;
    }
}
