/*
 * The end of an exchange: the upstream connection goes back to the pool or is closed, the record is
 * written, and the client connection goes on, lingers or ends. A cut answer never looks whole:
 * where only the end of the connection marks the end of the body, the client sees a reset.
 */
#include "core/account.h"
#include "core/internal.h"
#include "core/server.h"
#include "core/target.h"
#include "core/tunnel.h"
#include "core/xchg.h"

static bool upstream_reusable(struct xchg *x)
{
    struct conn *c = x->upstream.conn;
    bool quiet =
        (c->in == NULL || buf_len(c->in) == 0) && !c->eof && !c->read_failed && !c->write_failed;
    return quiet && x->fault == FAULT_NONE && x->upstream.keep && !x->upstream.repairs &&
           x->answered && x->upstream.in.phase == BODY_DONE && x->request_done && !x->request_cut &&
           conn_is_quiet(c);
}

static void release_upstream(struct xchg *x)
{
    if (x->upstream.conn) {
        target_rest(x->target);
        if (upstream_reusable(x))
            idle_give(x->target, x->upstream.conn);
        else
            conn_close(x->upstream.conn);
        x->upstream.conn = NULL;
    }
    if (x->target)
        target_put(x->worker, &x->target);
}

static void release_client(struct conn *c, bool whole, bool keep, bool until_close,
                           struct snapshot *served)
{
    if (conn_is_internal(c)) {
        internal_end(c, whole && !c->write_failed);
        return;
    }
    if (!whole && until_close)
        stream_reset(&c->stream);
    if (c->read_failed || c->write_failed) {
        client_close(c);
    } else if (!whole) {
        (void)conn_flush(c);
        client_close(c);
    } else if (keep) {
        h1_next(c, served);
    } else {
        h1_linger(c);
    }
}

enum step_result step_finish(struct xchg *x)
{
    struct worker *w = x->worker;
    struct conn *client = x->client.conn;
    struct snapshot *snap = snapshot_pin(w, x->snap);
    bool whole = x->whole, until_close = x->client.out.kind == BODY_UNTIL_CLOSE;
    bool keep = x->client.keep && x->client.in.phase == BODY_DONE;
    xchg_drop_dial(x);
    tunnel_release(&x->tunnel);
    if (x->role->outcome)
        x->role->outcome(x, x->fault);
    account_exchange(x);
    if (x->fault == FAULT_draining)
        atomic_fetch_add(&w->engine->cut, 1);
    relay_drop_tee(&x->response, x->fault);
    source_close(&x->source);
    lookup_end(x);
    release_upstream(x);
    xchg_free(x);
    release_client(client, whole, keep, until_close, snap);
    snapshot_unpin(w, &snap);
    return STEP_OVER;
}
