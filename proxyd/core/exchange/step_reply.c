/* Answers of our own: the refusal that a fault earns, and the head of any of them. */
#include "core/exchange/local_reply.h"
#include "core/exchange/xchg.h"

enum step_result step_refuse(struct xchg *x)
{
    reply_fault(x);
    return xchg_go(x, STEP_reply);
}

enum step_result step_reply(struct xchg *x)
{
    x->is_local = true;
    reply_settle(x);
    switch (xchg_put_head(x)) {
    case FLOW_OK: return xchg_relay(x);
    case FLOW_WAIT: return STEP_PARK;
    default: return xchg_fail(x, FAULT_client_reset);
    }
}
