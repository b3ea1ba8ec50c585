/* Is there a stored response? And the other two places where a store may give one. */
#include "core/exchange/account.h"
#include "core/exchange/local_reply.h"
#include "core/exchange/store.h"
#include "core/exchange/xchg.h"

static enum step_result stored(struct xchg *x)
{
    x->is_local = true;
    reply_settle(x);
    return xchg_go(x, STEP_judge);
}

static void choose(struct xchg *x)
{
    x->space = SLICE("");
    x->store = x->role->store ? x->role->store(x, &x->space) : x->listen->store;
}

static enum lookup ask(struct xchg *x, const struct store *s)
{
    if (x->parked)
        return s->resume(x);
    x->looked_up = true;
    return s->lookup(x);
}

__attribute__((noinline)) static enum step_result look_up(struct xchg *x)
{
    bool once = x->looked_up && !x->parked; /* and another server is asked now */
    if (x->req.method == METHOD_CONNECT || once)
        return xchg_go(x, STEP_dial);
    if (!x->parked)
        choose(x);
    if (x->store == NULL)
        return xchg_go(x, STEP_dial);
    enum lookup found = ask(x, x->store);
    x->parked = found == LOOKUP_PARKED;
    switch (found) {
    case LOOKUP_HIT: return stored(x);
    case LOOKUP_PARKED: return STEP_PARK;
    case LOOKUP_REFUSED: return xchg_fail(x, x->fault);
    default: return xchg_go(x, STEP_dial);
    }
}

enum step_result step_lookup(struct xchg *x)
{
    return likely(x->listen->store == NULL) ? xchg_go(x, STEP_dial) : look_up(x);
}

bool lookup_begin_copy(struct xchg *x, struct sink *tee)
{
    const struct store *s = x->store;
    void *upstream = x->source.self;
    if (!x->looked_up || x->is_local || s->begin == NULL || x->resp.status == 101)
        return true;
    if (!s->begin(x, tee))
        tee->ops = NULL;
    x->is_local = x->source.self != upstream;
    return x->fault == FAULT_NONE;
}

bool lookup_rescue(struct xchg *x)
{
    if (!x->looked_up || x->is_local || x->answered || x->store->rescue == NULL ||
        fault_info(x->fault)->whose != FAULT_OF_UPSTREAM || !x->store->rescue(x, x->fault))
        return false;
    x->fault = FAULT_NONE;
    x->stage = 0;
    stored(x);
    return true;
}

void lookup_end(struct xchg *x)
{
    if (x->looked_up)
        x->store->done(x);
}

bool lookup_keep(struct xchg *x, enum fault f)
{
    if (fault_info(f)->whose != FAULT_OF_CLIENT || x->stopped || x->store->keep == NULL ||
        x->client.ops->let_go == NULL || !x->store->keep(x))
        return false;
    account_exchange(x);
    x->client.fault = (u16)f;
    x->abandoned = true; /* told, and not to be told again */
    if (!x->client.ops->let_go(&x->client, LEG_ABORT))
        return false;
    source_close(&x->feed->from);
    x->feed = NULL;
    x->fault = FAULT_NONE;
    return true;
}

bool lookup_goes_on(struct xchg *x)
{
    return x->looked_up && x->is_local && x->store->go_on && x->store->go_on(x);
}

void lookup_served(struct xchg *x)
{
    source_close(&x->feed->from);
    x->feed = NULL;
    account_exchange(x);
    x->abandoned = true;
    if (x->client.ops->let_go) /* else, or without memory for it, it waits */
        (void)x->client.ops->let_go(&x->client, x->client.last ? LEG_LAST : LEG_KEEP);
}
