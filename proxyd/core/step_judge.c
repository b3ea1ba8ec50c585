/* The answer's head is known: may it pass, how is it framed on the client side, who may stay
 * connected. */
#include "base/must.h"
#include "core/local_reply.h"
#include "core/server.h"
#include "core/xchg.h"
#include "http/h1_write.h"

/* The body that the upstream connection goes on with. */
static void expect_body(struct xchg *x)
{
    struct msg *trailers = NULL;
    x->upstream.conn->in->from += x->resp.wire_len;
    leg_expect_body(&x->upstream, x->resp.body, x->resp.body_len);
    if (x->resp.body == BODY_CHUNKED) {
        trailers = arena_alloc(&x->arena, sizeof *trailers);
        msg_init(trailers, &x->arena);
    }
    x->upstream.rules = (struct body_rules){ .limits = h1_head_limits(x->client.conn),
                                             .trailers = trailers,
                                             .response = true };
    x->source = leg_source(&x->upstream);
}

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

bool xchg_put_head(struct xchg *x)
{
    struct text t;
    if (!conn_room(x->client.conn, h1_head_room(&x->resp), &t))
        return false;
    enum body_kind kind = h1_write_head(&t, &x->resp, x->req.minor, !x->client.keep);
    must(!t.full);
    conn_wrote(x->client.conn, &t);
    if (kind == BODY_UNTIL_CLOSE)
        x->client.keep = false;
    if (kind == BODY_NONE && x->is_local) { /* HEAD */
        x->reply_rest.n = 0;
        source_close(&x->source);
        x->source = text_source(&x->reply_rest);
    }
    leg_announce_body(&x->client, kind, x->resp.body_len);
    x->status = x->resp.status;
    x->answered = true;
    return true;
}

static void take_head(struct xchg *x)
{
    expect_body(x);
    x->upstream.keep = x->resp.keep_alive;
    if (!x->request_done ||
        xchg_is_last(x)) /* an early answer: the rest of the body has no taker for sure */
        x->client.keep = false;
}

enum step_result step_judge(struct xchg *x)
{
    const struct stage *s;
    if (x->source.ops == NULL)
        take_head(x);
    for (; (s = x->role->response_stages[x->stage]) != NULL; x->stage++)
        switch (s->run(x)) {
        case PASS: break;
        case PARKED: return STEP_PARK;
        default: return xchg_fail(x, x->fault);
        }
    if (!x->resp_edited) {
        lookup_begin_copy(x, &x->response.tee);
        if (!edit(x))
            return xchg_fail(x, FAULT_out_of_memory);
    }
    if (x->resp.status == 101 && !xchg_reserve_tunnel(x, SLICE("websocket")))
        return xchg_fail(x, FAULT_out_of_memory);
    if (!xchg_put_head(x))
        return STEP_PARK;
    return x->resp.status == 101 ? xchg_go(x, STEP_switched) : xchg_relay(x);
}
