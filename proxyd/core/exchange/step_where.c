/* Where does it go? The role knows. */
#include "core/conn/target.h"
#include "core/exchange/xchg.h"

enum step_result step_where(struct xchg *x)
{
    switch (stage_run(x, x->role->where)) {
    case PASS: break;
    case ANSWERED: return xchg_go(x, STEP_reply);
    case PARKED: return STEP_PARK;
    default: return xchg_fail(x, x->fault);
    }
    x->target = target_get(x->worker, &x->to);
    return x->target ? xchg_go(x, STEP_lookup) : xchg_fail(x, FAULT_out_of_memory);
}
