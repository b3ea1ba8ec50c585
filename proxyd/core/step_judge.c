/* The answer's head is known: may it pass, how is it framed on the client side, who may stay
 * connected. */
#include "base/must.h"
#include "core/local_reply.h"
#include "core/server.h"
#include "core/xchg.h"
#include "http/h1_write.h"

static void start_body(struct xchg *x)
{
    leg_expect_body(&x->upstream, x->resp.body, x->resp.body_len);
    struct msg *trailers = NULL;
    if (x->resp.body == BODY_CHUNKED) {
        trailers = arena_alloc(&x->arena, sizeof *trailers);
        msg_init(trailers, &x->arena);
    }
    x->upstream.rules = (struct body_rules){ .limits = h1_head_limits(x->client.conn),
                                             .trailers = trailers,
                                             .response = true };
    x->response = (struct relay){ .from = leg_source(&x->upstream),
                                  .to = leg_sink(&x->client),
                                  .most = UINT64_MAX,
                                  .trailers = x->req.te_trailers };
}

/* From the answer as it came to the answer as it goes, once. */
static bool edit(struct xchg *x)
{
    if (x->resp_edited)
        return true;
    if (!x->req.te_trailers) /* they end here, so nobody announces them */
        msg_remove(&x->resp, TOKEN_TRAILER);
    /* RFC 9110 section 6.6.1: whoever has a clock adds a Date */
    if (!x->role->edit_response(x) || (!msg_has(&x->resp, TOKEN_DATE) && !reply_date(x)))
        return false;
    x->resp_edited = true;
    return true;
}

static enum step_result write_head(struct xchg *x)
{
    struct text t;
    bool switching = x->resp.status == 101;
    if (!edit(x))
        return xchg_fail(x, FAULT_out_of_memory);
    if (!conn_room(x->client.conn, h1_head_room(&x->resp), &t))
        return STEP_PARK;
    u32 head_len = x->resp.wire_len;
    enum body_kind kind = h1_write_head(&t, &x->resp, x->req.minor, !x->client.keep);
    must(!t.full);
    if (kind == BODY_UNTIL_CLOSE)
        x->client.keep = false;
    leg_announce_body(&x->client, kind, x->resp.body_len);
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
        xchg_is_last(x)) /* an early answer: the rest of the body has no taker for sure */
        x->client.keep = false;
    return write_head(x);
}
