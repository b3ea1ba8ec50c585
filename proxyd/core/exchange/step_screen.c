/* May it be asked? First what every intermediary checks, then the stages of the role. */
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

static const struct stage open_to_all = { .name = "asking nobody's name", .run = anybody };
static const struct stage always[] = {
    { .name = "checking for a loop", .run = check_loop },
    { .name = "checking Max-Forwards", .run = check_max_forwards },
    { .name = "checking the size of the body", .run = check_body_limit },
};

enum verdict stage_run(struct xchg *x, const struct stage *s)
{
    enum verdict v = unlikely(x->parked) ? s->resume(x) : s->run(x);
    x->parked = v == PARKED;
    return v;
}

static const struct stage *stage_at(const struct xchg *x, u8 i)
{
    if (i == 0)
        return x->role->who ? x->role->who : &open_to_all;
    return i <= countof(always) ? &always[i - 1] : x->role->request_stages[i - 1 - countof(always)];
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
