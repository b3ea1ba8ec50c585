/* Answers of our own: the refusal that a fault earns, and the head of any of them. */
#include "core/local_reply.h"
#include "core/xchg.h"

enum step_result step_refuse(struct xchg *x)
{
    reply_fault(x);
    return xchg_go(x, STEP_reply);
}

enum step_result step_reply(struct xchg *x)
{
    x->is_local = true;
    reply_settle(x);
    return xchg_put_head(x) ? xchg_relay(x) : STEP_PARK;
}
