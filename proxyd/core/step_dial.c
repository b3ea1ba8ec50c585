/* A upstream leg: from the own idle list, from the shared one, or dialled. */
#include "core/dial.h"
#include "core/target.h"
#include "core/xchg.h"

/* May this exchange use a connection that leads there? */
static bool fits(void *asker, const struct addr *a)
{
    struct xchg *x = asker;
    return x->role->vet == NULL || x->role->vet(x, a) == FAULT_NONE;
}

static enum step_result attach(struct xchg *x, struct conn *c, bool pooled)
{
    x->upstream.conn = c;
    x->upstream.reused = x->via_idle = pooled;
    x->upstream_base = c->bytes_out;
    x->server = c->peer;
    x->req_addressed = false;
    conn_hand(c, &xchg_user, x);
    conn_wait_nothing(c);
    target_busy(x->worker, x->target);
    return xchg_go(x, x->req.method == METHOD_CONNECT ? STEP_established : STEP_send);
}

enum step_result step_dial(struct xchg *x)
{
    struct conn *c = NULL;
    enum fault f;
    if (x->dial == NULL) {
        if (x->req.method != METHOD_CONNECT && !x->no_idle)
            c = idle_take(x->worker, x->target, fits, x);
        if (c)
            return attach(x, c, true);
        dial_start(x);
        if (x->dial == NULL) /* no memory for it: xchg_fail has chosen the next step */
            return STEP_GO;
    }
    if (!dial_poll(x, &c, &f))
        return STEP_PARK;
    return c ? attach(x, c, false) : xchg_fail(x, f);
}
