/* The answer's body goes to the near side; the request's may still be going the other way. */
#include "core/conf.h"
#include "core/near.h"
#include "core/xchg.h"

/* A request body that fails once the answer has begun spoils only the connections, not the
 * answer. */
static void pump_up(struct xchg *x)
{
    if (x->up_done || xchg_pump_up(x))
        return;
    x->up_done = x->up_lost = true;
    conn_wait_moved(x->near.conn, WAIT_READ);
    conn_wait_moved(x->far.conn, WAIT_WRITE);
    x->fault = FAULT_NONE;
}

static enum fault far_fault(enum fault f)
{
    if (f == FAULT_NONE)
        return FAULT_response_truncated;
    return f == FAULT_bad_chunk || f == FAULT_bad_trailer ? FAULT_response_bad_chunk : f;
}

enum step_result step_relay(struct xchg *x)
{
    const struct timeouts_conf *limit = &x->worker->engine->conf->timeouts;
    enum fault f;
    pump_up(x);
    struct head_limits limits = near_head_limits(x->near.conn);
    x->down.rules.limits = &limits;
    switch (relay_turn(&x->down, &f)) {
    case RELAY_DONE: return xchg_go(x, STEP_finish);
    case RELAY_WAIT_SOURCE:
        conn_wait_moving(x->far.conn, WAIT_READ, limit->body);
        conn_wait_moved(x->near.conn, WAIT_WRITE);
        return STEP_PARK;
    case RELAY_WAIT_SINK:
        conn_wait_moving(x->near.conn, WAIT_WRITE, limit->body);
        conn_wait_moved(x->far.conn, WAIT_READ);
        return STEP_PARK;
    case RELAY_YIELD: /* it is we who are to go on */
        conn_wait_moved(x->far.conn, WAIT_READ);
        conn_wait_moved(x->near.conn, WAIT_WRITE);
        loop_again(&x->worker->loop, &x->far.conn->stream.io);
        return STEP_PARK;
    case RELAY_SOURCE_FAULT: return xchg_fail(x, far_fault(f));
    default: return xchg_fail(x, FAULT_client_reset);
    }
}
