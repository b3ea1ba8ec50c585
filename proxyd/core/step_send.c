/* The request head goes to the upstream side, written anew; its body follows as it comes. */
#include "core/conf.h"
#include "core/server.h"
#include "core/xchg.h"

static void write_framing(struct xchg *x, struct text *t)
{
    if (x->req.body == BODY_CHUNKED) {
        text_lit(t, "Transfer-Encoding: chunked\r\n");
    } else if (x->req.body == BODY_LENGTH) {
        text_lit(t, "Content-Length: ");
        text_u64(t, x->req.body_len);
        text_lit(t, "\r\n");
    }
    if (x->req.upgrade_websocket)
        text_lit(t, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    else if (x->req.te_trailers)
        text_lit(t, "TE: trailers\r\nConnection: TE\r\n");
}

static void write_max_forwards(struct xchg *x, struct text *t)
{
    if (!x->has_max_forwards)
        return;
    text_lit(t, "Max-Forwards: ");
    text_u64(t, x->max_forwards);
    text_lit(t, "\r\n");
}

static void start_body(struct xchg *x)
{
    leg_announce_body(&x->upstream, x->req.body, x->req.body_len);
    x->replay_in = x->client.in;
    x->replay_keep = x->client.keep;
    x->replay_from = x->client.conn->pin->from;
    struct msg *trailers = NULL;
    if (x->req.body == BODY_CHUNKED) {
        trailers = arena_alloc(&x->arena, sizeof *trailers);
        msg_init(trailers, &x->arena);
    }
    x->request = (struct relay){ .from = &x->client,
                                 .to = &x->upstream,
                                 .most = x->worker->engine->conf->limits.body,
                                 .trailers = true };
    x->request.rules.trailers = trailers;
    x->request_done = x->request_cut = false;
}

enum step_result step_send(struct xchg *x)
{
    struct text t;
    size_t need = x->req.text_len + x->req.extra_len + x->req.nfields + /* perhaps a blank each */
                  x->req.target.n /* encoded it is longer */ + x->uri.host.len + HEAD_SPARE;
    if (!conn_room(x->upstream.conn, need, &t))
        return STEP_PARK;
    msg_remove(&x->req, TOKEN_CONTENT_LENGTH);
    if (x->req.minor == 0) /* 1.0 has no expectations, and what goes out is 1.1 */
        msg_remove(&x->req, TOKEN_EXPECT);
    if (x->has_max_forwards)
        msg_remove(&x->req, TOKEN_MAX_FORWARDS);
    x->role->to_upstream(x, &t);
    write_max_forwards(x, &t);
    write_framing(x, &t);
    text_lit(&t, "\r\n");
    if (t.full) /* the role wrote more than any head may have */
        return xchg_fail(x, FAULT_head_too_large);
    conn_wrote(x->upstream.conn, &t);
    start_body(x);
    return xchg_go(x, STEP_await);
}

bool xchg_pump_request(struct xchg *x)
{
    enum fault f;
    if (x->request_done)
        return true;
    struct head_limits limits = h1_head_limits(x->client.conn);
    x->request.rules.limits = &limits;
    switch (relay_turn(&x->request, &f)) {
    case RELAY_DONE: x->request_done = true; return true;
    case RELAY_YIELD: loop_again(&x->worker->loop, &x->client.conn->stream.io); return true;
    case RELAY_SINK_BROKEN: /* it may have answered before it closed: await looks */
        x->request_done = x->request_cut = true;
        x->client.keep = false;
        return true;
    case RELAY_SOURCE_FAULT: break;
    default: return true;
    }
    x->client.keep = false;
    x->fault = f != FAULT_NONE               ? f
               : x->client.conn->read_failed ? FAULT_client_reset
                                             : FAULT_client_closed;
    return false;
}
