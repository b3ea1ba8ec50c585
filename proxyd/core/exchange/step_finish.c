/*
 * The end of an exchange: the record is written and both legs are closed. What a cut answer looks
 * like, and whether a connection goes on, each codec knows.
 */
#include "core/exchange/account.h"
#include "core/exchange/store.h"
#include "core/conn/target.h"
#include "core/exchange/tunnel.h"
#include "core/exchange/xchg.h"

void xchg_release_upstream(struct xchg *x)
{
    if (x->upstream.ops) {
        bool clean = x->fault == FAULT_NONE && x->answered && x->request_done && !x->request_cut;
        target_rest(x->target);
        x->upstream.ops->close(&x->upstream, clean ? LEG_KEEP : LEG_ABORT);
    }
    if (x->target)
        target_put(x->worker, &x->target);
}

enum step_result step_finish(struct xchg *x)
{
    if (unlikely(x->dial))
        xchg_drop_dial(x);
    if (unlikely(x->tunnel))
        tunnel_release(&x->tunnel);
    lease_end_all(x);
    if (likely(!x->abandoned))
        account_exchange(x);
    if (x->fault == FAULT_draining)
        atomic_fetch_add(&x->worker->engine->cut, 1);
    if (unlikely(x->response.tee.ops))
        relay_drop_tee(&x->response, x->fault);
    if (unlikely(x->feed))
        source_close(&x->feed->from);
    source_close(&x->source);
    lookup_end(x);
    xchg_release_upstream(x);
    /* Last of all that is counted: where none is in flight, all is told. */
    stat_sub(x->worker->stats, STAT_requests_in_flight, 1);
    x->client.fault = (u16)x->fault;
    x->client.ops->close(&x->client, !x->whole ? LEG_ABORT : x->client.last ? LEG_LAST : LEG_KEEP);
    xchg_free(x);
    return STEP_OVER;
}
