#include "core/retry.h"

#include "core/target.h"

bool retry_foreseen(const struct xchg *x)
{
    return method_is_idempotent(x->req.method) && x->client.in_here;
}

static bool allowed(const struct xchg *x)
{
    if (!x->via_idle || x->retried || x->upstream.bytes_in)
        return false;
    return method_is_idempotent(x->req.method) || x->upstream.ops->untouched(&x->upstream);
}

bool retry_rewind(struct xchg *x)
{
    if (!allowed(x) || !x->client.ops->rewind(&x->client))
        return false;
    x->upstream.ops->close(&x->upstream, LEG_ABORT);
    xchg_new_upstream(x);
    target_rest(x->target);
    x->retried = x->no_idle = true;
    stat_add(x->worker->stats, STAT_upstream_retries_total, 1);
    return true;
}
