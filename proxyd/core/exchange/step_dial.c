/* An upstream leg: an idle connection, or one that is dialled. */
#include "core/conn/codec.h"
#include "core/exchange/retry.h"
#include "core/conn/target.h"
#include "core/exchange/xchg.h"

static struct ruling ask(void *self, const struct addr *a)
{
    const struct xchg *x = self;
    return x->role->vet ? x->role->vet(x, a) : (struct ruling){ .fault = FAULT_NONE };
}

static void note_ruling(struct xchg *x, struct slice rule, struct slice reason, struct slice shadow)
{
    if (shadow.n)
        x->shadow = shadow;
    if (rule.n)
        x->rule = rule;
    x->reason = reason;
}

/* May this exchange use an idle connection that leads there? */
static bool fits(void *self, const struct addr *a)
{
    struct ruling r = ask(self, a);
    if (r.fault != FAULT_NONE)
        return false;
    note_ruling(self, r.rule, r.reason, r.shadow);
    return true;
}

static enum step_result attached(struct xchg *x, bool idle)
{
    x->via_idle = idle;
    x->req_addressed = false;
    target_busy(x->worker, x->target);
    bool there = x->req.method == METHOD_CONNECT && !x->to.is_parent;
    return xchg_go(x, there ? STEP_established : STEP_send);
}

static void note_result(struct xchg *x, const struct dial_result *r)
{
    x->dial = NULL;
    x->resolved_us = r->resolved_us;
    note_ruling(x, r->rule, r->reason, r->shadow);
    if (r->server.family)
        x->server = r->server;
}

static enum step_result dial_over(struct xchg *x, const struct dial_result *r)
{
    note_result(x, r);
    if (r->fault != FAULT_NONE && retry_elsewhere(x, r->fault))
        return xchg_go(x, STEP_where);
    if (r->fault != FAULT_NONE)
        return xchg_fail(x, r->fault);
    if (!codec_attach(r, x->target, &x->upstream))
        return xchg_fail(x, FAULT_connect_failed);
    x->connected_us = x->worker->loop.now.mono_us;
    return attached(x, false);
}

void xchg_drop_dial(struct xchg *x)
{
    struct dial *d = x->dial;
    if (d == NULL)
        return;
    note_result(x, dial_so_far(d));
    dial_cancel(d);
}

static void done(void *self, const struct dial_result *r)
{
    dial_over(self, r);
    xchg_wake(self);
}

static bool take_idle(struct xchg *x)
{
    struct idle_want want = { .fits = fits, .self = x, .repeatable = retry_foreseen(x) };
    if (x->req.method == METHOD_CONNECT || x->no_idle)
        return false;
    return codec_attach_idle(x->worker, x->target, &want, &x->rested_ms, &x->server, &x->upstream);
}

/* Not before: an answer that is kept needs none. */
static bool has_target(struct xchg *x)
{
    if (x->target == NULL)
        x->target = target_get(x->worker, &x->to);
    return x->target != NULL;
}

enum step_result step_dial(struct xchg *x)
{
    if (x->dial)
        return STEP_PARK;
    if (unlikely(!has_target(x)))
        return xchg_fail(x, FAULT_out_of_memory);
    if (take_idle(x))
        return attached(x, true);
    struct dial_request request = {
        .to = &x->to, .client = x->peer, .self = x, .vet = ask, .done = done
    };
    struct dial_result over;
    if (dial_start(x->worker, &request, &x->dial, &over) != FAULT_NONE)
        return dial_over(x, &over);
    return STEP_PARK;
}
