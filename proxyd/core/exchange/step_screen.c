/* May it be asked? First what every intermediary checks, then the stages of the role. */
#include "base/must.h"
#include "core/conf.h"
#include "core/exchange/trace.h"
#include "core/exchange/via.h"
#include "core/exchange/xchg.h"

static enum verdict check_loop(struct xchg *x)
{
    if (likely(!via_is_loop(x)))
        return PASS;
    x->fault = FAULT_loop_detected;
    return REFUSED;
}

static enum verdict check_body_limit(struct xchg *x)
{
    if (x->req.body != BODY_LENGTH || x->req.body_len <= x->snap->conf.limits.body)
        return PASS;
    x->fault = FAULT_body_too_large;
    return REFUSED;
}

static enum verdict anybody(struct xchg *x)
{
    (void)x;
    return PASS;
}

/* What every direction asks. One stage, as nearly always nothing of it is in the request. */
static enum verdict check_hop(struct xchg *x)
{
    enum verdict v = check_loop(x);
    if (v == PASS && unlikely(msg_has(&x->req, TOKEN_MAX_FORWARDS)))
        v = check_max_forwards(x);
    return v == PASS ? check_body_limit(x) : v;
}

static const struct stage open_to_all = { .name = "asking nobody's name", .run = anybody };
static const struct stage of_every_hop = { .name = "checking Via, Max-Forwards and the body's size",
                                           .run = check_hop };

enum verdict stage_run(struct xchg *x, const struct stage *s)
{
    expect(!x->parked || s->resume); /* who says PARKED has one */
    enum verdict v = unlikely(x->parked) ? s->resume(x) : s->run(x);
    x->parked = v == PARKED;
    x->parked_at = v == PARKED ? s : NULL;
    return v;
}

void stage_cancel(struct xchg *x)
{
    if (x->parked_at && x->parked_at->cancel)
        x->parked_at->cancel(x);
    x->parked = false;
    x->parked_at = NULL;
}

void role_timer_expired(struct timer *t)
{
    struct role_timer *own = container_of(t, struct role_timer, timer);
    own->expired(own);
}

static const struct stage *stage_at(const struct xchg *x, u8 i)
{
    switch (i) {
    case 0: return x->role->who ? x->role->who : &open_to_all;
    case 1: return &of_every_hop;
    default: return x->role->request_stages[i - 2];
    }
}

const char *screen_doing(const struct xchg *x)
{
    const struct stage *s = stage_at(x, x->stage);
    return s ? s->name : "judging the request";
}

enum step_result step_screen(struct xchg *x)
{
    const struct stage *s;
    for (; (s = stage_at(x, x->stage)) != NULL; x->stage++)
        switch (stage_run(x, s)) {
        case PASS: break;
        case ANSWERED: return xchg_go(x, STEP_reply);
        case PARKED: return STEP_PARK;
        case REFUSED: return xchg_fail(x, x->fault);
        }
    x->stage = 0;
    return xchg_go(x, STEP_where);
}
