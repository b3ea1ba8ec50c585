#include "core/retry.h"

#include "core/target.h"

static bool body_replayable(const struct xchg *x)
{
    return x->req.body == BODY_NONE || !x->client.conn->refilled;
}

bool retry_foreseen(const struct xchg *x)
{
    const struct conn *c = x->client.conn;
    if (!method_is_idempotent(x->req.method))
        return false;
    return x->req.body == BODY_NONE ||
           (x->req.body == BODY_LENGTH && c->in && x->req.body_len <= buf_len(c->in));
}

bool retry_allowed(const struct xchg *x)
{
    if (!x->via_idle || x->retried || x->upstream_seen || !body_replayable(x))
        return false;
    return method_is_idempotent(x->req.method) || x->upstream.conn->bytes_out == x->upstream_base;
}

void retry_rewind(struct xchg *x)
{
    struct conn *client = x->client.conn;
    conn_close(x->upstream.conn);
    x->upstream.conn = NULL;
    target_rest(x->target);
    if (x->req.body != BODY_NONE) {
        client->in = client->pin;
        client->in->from = x->replay_from;
        x->client.in = x->replay_in;
    }
    x->client.keep = x->replay_keep;
    x->retried = x->no_idle = true;
    stat_add(x->worker->stats, STAT_upstream_retries_total, 1);
}
