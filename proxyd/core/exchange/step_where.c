/* Where does it go? The role knows. */
#include "core/exchange/xchg.h"

enum step_result step_where(struct xchg *x)
{
    switch (stage_run(x, x->role->where)) {
    case PASS: break;
    case ANSWERED: return xchg_go(x, STEP_reply);
    case PARKED: return STEP_PARK;
    default: return xchg_fail(x, x->fault);
    }
    return xchg_go(x, STEP_lookup);
}
