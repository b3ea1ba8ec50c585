#include "core/exchange/retry.h"

#include "core/conn/target.h"

/* A pool of dead servers is not tried to its end: each may take all of `timeouts connect`. */
enum { MOST_ATTEMPTS = 5 };

bool retry_foreseen(const struct xchg *x)
{
    return method_is_idempotent(x->req.method) && x->client.in_here;
}

bool retry_is_unconnected(enum fault f)
{
    switch ((unsigned)f) {
    case FAULT_dns_nxdomain:
    case FAULT_dns_no_address:
    case FAULT_dns_failure:
    case FAULT_dns_timeout:
    case FAULT_connect_refused:
    case FAULT_connect_timeout:
    case FAULT_connect_unreachable:
    case FAULT_connect_failed: return true;
    default: return false;
    }
}

static bool has_next(struct xchg *x, enum fault why)
{
    return x->role->next && x->attempts + 1 < MOST_ATTEMPTS && x->role->next(x, why);
}

static void leave_server(struct xchg *x, enum fault why)
{
    x->attempts++;
    lease_end_server(x, why);
    target_put(x->worker, &x->target);
    stat_add(x->worker->stats, STAT_upstream_retries_total, 1);
}

bool retry_elsewhere(struct xchg *x, enum fault why)
{
    if (!retry_is_unconnected(why) || !has_next(x, why))
        return false;
    leave_server(x, why);
    return true;
}

/* Of a CONNECT nothing has gone through the tunnel yet. */
static bool is_repeatable(const struct xchg *x)
{
    return x->req.method == METHOD_CONNECT || method_is_idempotent(x->req.method) ||
           x->upstream.ops->untouched(&x->upstream);
}

bool retry_unanswered(struct xchg *x, enum fault why)
{
    if (x->upstream.bytes_in || !is_repeatable(x) || !has_next(x, why))
        return false;
    if (x->req.method != METHOD_CONNECT && !x->client.ops->rewind(&x->client))
        return false;
    x->upstream.ops->close(&x->upstream, LEG_ABORT);
    xchg_new_upstream(x);
    target_rest(x->target);
    leave_server(x, why);
    return true;
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

void retry_for_store(struct xchg *x)
{
    x->upstream.ops->head_done(&x->upstream);
    target_rest(x->target);
    x->upstream.ops->close(&x->upstream, LEG_KEEP);
    xchg_new_upstream(x);
    xchg_new_response(x);
    x->source.ops = NULL;
    x->stage = 0;
    x->ask_again = false;
}
