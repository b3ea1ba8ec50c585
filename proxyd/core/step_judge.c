/* The answer's head is known: may it pass, how is it framed on the client side, who may stay
 * connected. */
#include "core/local_reply.h"
#include "core/conf.h"
#include "core/xchg.h"

static void write_length(struct text *t, u64 n)
{
    text_lit(t, "Content-Length: ");
    text_u64(t, n);
    text_lit(t, "\r\n");
}

/* The client side's framing is its own: chunked for whoever speaks 1.1 and was promised no length,
 * the end of the connection for others. */
static void write_framing(struct xchg *x, struct text *t)
{
    enum body_kind kind = x->resp.body;
    if (kind == BODY_LENGTH) {
        write_length(t, x->resp.body_len);
    } else if (kind != BODY_NONE && x->req.minor > 0) {
        kind = BODY_CHUNKED;
        text_lit(t, "Transfer-Encoding: chunked\r\n");
    } else if (kind != BODY_NONE) {
        kind = BODY_UNTIL_CLOSE;
        x->client.keep = false;
    }
    leg_announce_body(&x->client, kind, x->resp.body_len);
}

static void start_body(struct xchg *x)
{
    leg_expect_body(&x->upstream, x->resp.body, x->resp.body_len);
    struct msg *trailers = NULL;
    if (x->resp.body == BODY_CHUNKED) {
        trailers = arena_alloc(&x->arena, sizeof *trailers);
        msg_init(trailers, &x->arena);
    }
    x->response = (struct relay){
        .from = &x->upstream, .to = &x->client, .most = UINT64_MAX, .trailers = x->req.te_trailers
    };
    x->response.rules.trailers = trailers;
    x->response.rules.response = true;
}

static enum step_result write_head(struct xchg *x)
{
    struct text t;
    bool switching = x->resp.status == 101;
    size_t need = x->resp.text_len + x->resp.extra_len + x->resp.nfields + HEAD_SPARE;
    if (!conn_room(x->client.conn, need, &t))
        return STEP_PARK;
    u32 head_len = x->resp.text_len;
    if (!x->req.te_trailers) /* they end here, so nobody announces them */
        msg_remove(&x->resp, TOKEN_TRAILER);
    if (x->resp.body ==
        BODY_LENGTH) /* write_framing says it anew; HEAD and 304 keep the origin's */
        msg_remove(&x->resp, TOKEN_CONTENT_LENGTH);
    x->role->to_client(x, &t);
    if (!msg_has(&x->resp, TOKEN_DATE)) /* RFC 9110 section 6.6.1: whoever has a clock adds it */
        reply_date(x, &t);
    if (switching)
        text_lit(&t, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    else
        write_framing(x, &t);
    if (!switching)
        reply_connection(x, &t);
    text_lit(&t, "\r\n");
    if (t.full)
        return xchg_fail(x, FAULT_response_head_too_large);
    conn_wrote(x->client.conn, &t);
    x->status = x->resp.status;
    x->answered = true;
    x->upstream.conn->in->from += head_len;
    start_body(x);
    return xchg_go(x, switching ? STEP_switched : STEP_relay);
}

enum step_result step_judge(struct xchg *x)
{
    const struct stage *s;
    for (; (s = x->role->response_stages[x->stage]) != NULL; x->stage++)
        switch (s->run(x)) {
        case PASS: break;
        case PARKED: return STEP_PARK;
        default: return xchg_fail(x, x->fault);
        }
    x->upstream.keep = x->resp.keep_alive;
    if (!x->request_done ||
        x->worker->draining) /* an early answer: the rest of the body has no taker for sure */
        x->client.keep = false;
    return write_head(x);
}
