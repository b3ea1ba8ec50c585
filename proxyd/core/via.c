#include "core/via.h"

#include "core/listener.h"
#include "core/worker.h"
#include "core/xchg.h"
#include "http/hop.h"

/* Real ways have up to five. A turn of a loop adds one at least, unless nobody on it adds any. */
enum { MOST_HOPS = 16 };

static struct slice of_process(const struct xchg *x)
{
    return slice_of(x->worker->engine->pseudonym);
}

bool via_sign(const struct xchg *x, struct msg *m)
{
    const struct listener *l = x->listen;
    return l->via_off || via_add(m, l->via.n ? l->via : of_process(x));
}

bool via_is_loop(const struct xchg *x)
{
    const struct listener *l = x->listen;
    if (likely(!msg_has(&x->req, TOKEN_VIA)))
        return false;
    return via_seen(&x->req, of_process(x)) || (l->via.n && via_seen(&x->req, l->via)) ||
           (l->via_off && via_count(&x->req) > MOST_HOPS);
}
