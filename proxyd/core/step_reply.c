/* Answers of our own: the refusal that a fault earns, and the head of any of them. */
#include "core/local_reply.h"
#include "core/xchg.h"

enum step_result step_refuse(struct xchg *x)
{
    reply_fault(x);
    return xchg_go(x, STEP_reply);
}

/* A body that is still to come cannot be skipped safely: the connection ends with this answer. So
 * does that of a refused CONNECT: what comes behind it, now or later, was meant for the other end,
 * and somebody else may have chosen it (a page that makes its browser talk through a tunnel): it
 * must not be taken for a request of this client (RFC 9931). */
static void settle_connection(struct xchg *x)
{
    x->request_done = x->request_cut = true;
    if (x->client.in.phase != BODY_DONE || xchg_is_last(x) || x->req.method == METHOD_CONNECT)
        x->client.keep = false;
}

enum step_result step_reply(struct xchg *x)
{
    x->is_local = true;
    settle_connection(x);
    return xchg_put_head(x) ? xchg_relay(x) : STEP_PARK;
}
