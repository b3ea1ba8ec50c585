/* Is there a stored response? And the other two places where a store may give one. */
#include "core/exchange/local_reply.h"
#include "core/exchange/store.h"
#include "core/exchange/xchg.h"

static enum step_result stored(struct xchg *x)
{
    x->is_local = true;
    reply_settle(x);
    return xchg_go(x, STEP_judge);
}

static enum lookup ask(struct xchg *x, const struct store *s)
{
    if (x->parked)
        return s->resume(x);
    x->looked_up = true;
    return s->lookup(x);
}

enum step_result step_lookup(struct xchg *x)
{
    const struct store *s = x->listen->store;
    bool once = x->looked_up && !x->parked; /* and another server is asked now */
    if (likely(s == NULL || x->req.method == METHOD_CONNECT || once))
        return xchg_go(x, STEP_dial);
    enum lookup found = ask(x, s);
    x->parked = found == LOOKUP_PARKED;
    switch (found) {
    case LOOKUP_HIT: return stored(x);
    case LOOKUP_PARKED: return STEP_PARK;
    case LOOKUP_REFUSED: return xchg_fail(x, x->fault);
    default: return xchg_go(x, STEP_dial);
    }
}

void lookup_begin_copy(struct xchg *x, struct sink *tee)
{
    const struct store *s = x->listen->store;
    void *upstream = x->source.self;
    if (!x->looked_up || x->is_local || s->begin == NULL || x->resp.status == 101)
        return;
    if (!s->begin(x, tee))
        tee->ops = NULL;
    x->is_local = x->source.self != upstream;
}

bool lookup_rescue(struct xchg *x)
{
    if (!x->looked_up || x->is_local || x->answered || x->listen->store->rescue == NULL ||
        fault_info(x->fault)->whose != FAULT_OF_UPSTREAM || !x->listen->store->rescue(x, x->fault))
        return false;
    x->fault = FAULT_NONE;
    x->stage = 0;
    stored(x);
    return true;
}

void lookup_end(struct xchg *x)
{
    if (x->looked_up)
        x->listen->store->done(x);
}
