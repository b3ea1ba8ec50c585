/* Answers of our own: the refusal that a fault earns, and sending what stands in the client buffer.
 * */
#include "core/local_reply.h"
#include "core/xchg.h"

enum step_result step_refuse(struct xchg *x)
{
    return reply_fault(x) ? xchg_go(x, STEP_reply) : STEP_PARK;
}

enum step_result step_reply(struct xchg *x)
{
    switch (conn_flush(x->client.conn)) {
    case SOCK_OK: return xchg_go(x, STEP_finish);
    case SOCK_AGAIN: return STEP_PARK;
    default: return xchg_fail(x, FAULT_client_reset);
    }
}
