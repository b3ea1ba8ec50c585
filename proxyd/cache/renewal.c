/*
 * Validation behind the back of those who get a response that is stale by now
 * (stale-while-revalidate, RFC 5861): an exchange of the proxy's own, with the request that has
 * found it, whose answer nobody reads. One for each object at a time.
 *
 * It is decided on as that request was, for its client and its user: so nothing is asked of an
 * origin that this client could not have asked for. But it is in nobody's name there: credentials
 * and cookies stay behind.
 */
#include "cache/notes.h"

#include <stdlib.h>

#include "cache/errand.h"

struct renewal {
    struct errand errand; /* first */
    struct object *object;
    struct addr client; /* whose request has found it */
};

static struct renewal *renewal_of(struct requester *r)
{
    return container_of(r, struct renewal, errand.requester);
}

static enum flow take_head(struct requester *r, const struct msg *resp)
{
    (void)r;
    (void)resp;
    return FLOW_OK;
}

/* While its configuration still holds the cache, whose memory the object is. */
static void closing(struct requester *r)
{
    struct renewal *self = renewal_of(r);
    atomic_store(&self->object->refreshing, false);
    object_put(&self->object);
}

static void end(struct requester *r, enum fault f)
{
    (void)f;
    free(renewal_of(r));
}

static bool begin(struct xchg *x, struct renewal *r, struct slice request)
{
    struct requester *q = &r->errand.requester;
    if (!internal_open(x->worker, x->listen, request, q))
        return false;
    struct xchg *own = q->leg->xchg;
    r->client = x->behalf ? *x->behalf : x->peer;
    own->behalf = &r->client;
    own->stored = &r->errand;
    if (x->user.p && !xchg_set_user(own, x->user))
        internal_cancel(q);
    return true;
}

void renewal_start(struct xchg *x, struct object *o)
{
    struct text request;
    if (x->snap != x->worker->snapshot || /* its listener is of a configuration that is leaving */
        errand_is_by_user(o))
        return;
    if (atomic_exchange(&o->refreshing, true))
        return;
    struct renewal *r = errand_request(x, false, &request) ? calloc(1, sizeof *r) : NULL;
    if (r) {
        struct requester *q = &r->errand.requester;
        r->errand.kind = ERRAND_RENEWAL;
        q->head = take_head;
        q->bytes = errand_swallow;
        q->closing = closing;
        q->end = end;
        r->object = o;
        if (begin(x, r, text_slice(&request))) {
            object_hold(o);
            return;
        }
    }
    free(r);
    atomic_store(&o->refreshing, false);
}
