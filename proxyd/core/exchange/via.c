#include "core/exchange/via.h"

#include "base/must.h"
#include "core/listener.h"
#include "core/worker.h"
#include "core/exchange/xchg.h"
#include "http/hop.h"

/* Real ways have up to five. A turn of a loop adds one at least, unless nobody on it adds any. */
enum { MOST_HOPS = 16 };

static struct slice of_process(const struct xchg *x)
{
    return slice_of(x->worker->engine->pseudonym);
}

void via_init(struct worker *w)
{
    for (unsigned minor = 0; minor < countof(w->via); minor++) {
        struct text t = text_in(w->via[minor].text, sizeof w->via[minor].text);
        via_write(&t, (u8)minor, slice_of(w->engine->pseudonym));
        must(!t.full);
        w->via[minor].n = (u32)t.n;
    }
}

bool via_sign(const struct xchg *x, struct msg *m)
{
    const struct listener *l = x->listen;
    const struct via_line *line = &x->worker->via[m->minor];
    if (unlikely(l->via_off || l->via.n))
        return l->via_off || via_add(m, l->via);
    return msg_add_line(m, TOKEN_VIA, (struct slice){ line->text, line->n });
}

bool via_is_loop(const struct xchg *x)
{
    const struct listener *l = x->listen;
    if (likely(!msg_has(&x->req, TOKEN_VIA)))
        return false;
    return via_seen(&x->req, of_process(x)) || (l->via.n && via_seen(&x->req, l->via)) ||
           (l->via_off && via_count(&x->req) > MOST_HOPS);
}
