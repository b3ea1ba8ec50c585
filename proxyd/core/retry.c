#include "core/retry.h"

#include "core/target.h"

static bool body_replayable(const struct xchg *x)
{
    return x->req.body == BODY_NONE || !x->near.conn->refilled;
}

bool retry_allowed(const struct xchg *x)
{
    if (!x->via_pool || x->retried || x->upstream_seen || !body_replayable(x))
        return false;
    return method_is_idempotent(x->req.method) || x->far.conn->bytes_out == x->upstream_base;
}

void retry_rewind(struct xchg *x)
{
    struct conn *near = x->near.conn;
    conn_close(x->far.conn);
    x->far.conn = NULL;
    pool_rest(x->target);
    if (x->req.body != BODY_NONE) {
        near->in = near->pin;
        near->in->from = x->replay_from;
        x->near.in = x->replay_in;
    }
    x->near.keep = x->replay_keep;
    x->retried = x->no_pool = true;
    stat_add(x->worker->stats, STAT_upstream_retries_total, 1);
}
