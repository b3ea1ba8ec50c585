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

#include "core/codec/internal.h"
#include "http/h1_write.h"
#include "http/hop.h"

struct renewal {
    struct requester requester; /* first: it is the requester */
    struct object *object;
    struct addr client; /* whose request has found it */
};

static enum flow take_head(struct requester *r, const struct msg *resp)
{
    (void)r;
    (void)resp;
    return FLOW_OK;
}

static enum flow take_bytes(struct requester *r, struct slice run, size_t *taken)
{
    (void)r;
    *taken = run.n;
    return FLOW_OK;
}

/* While its configuration still holds the cache, whose memory the object is. */
static void closing(struct requester *r)
{
    struct renewal *self = container_of(r, struct renewal, requester);
    atomic_store(&self->object->refreshing, false);
    object_put(&self->object);
}

static void end(struct requester *r, enum fault f)
{
    (void)f;
    free(container_of(r, struct renewal, requester));
}

/* The request without what is the client's own affair. */
static bool write_request(struct xchg *x, struct text *t)
{
    static const enum token own[] = { TOKEN_CACHE_CONTROL,     TOKEN_PRAGMA,        TOKEN_RANGE,
                                      TOKEN_IF_RANGE,          TOKEN_IF_NONE_MATCH, TOKEN_EXPECT,
                                      TOKEN_IF_MODIFIED_SINCE, TOKEN_AUTHORIZATION, TOKEN_COOKIE };
    const struct notes *n = notes_of(x);
    struct msg *m = arena_try(&x->arena, sizeof *m);
    if (m == NULL || !msg_share(m, &x->req, &x->arena))
        return false;
    hop_strip(m);
    for (unsigned i = 0; i < countof(own); i++)
        msg_remove(m, own[i]);
    size_t room = h1_head_room(m) + 2 * (n->url.host.n + n->url.path.n) + 128;
    *t = text_in(arena_try(&x->arena, room), room);
    if (t->p == NULL)
        return false;
    text_lit(t, "GET ");
    cache_url_write(t, &n->url);
    text_lit(t, " HTTP/1.1\r\nHost: ");
    host_write(t, &x->uri.host, x->uri.port == 80 ? 0 : x->uri.port);
    text_lit(t, "\r\n");
    h1_write_fields(t, m);
    text_lit(t, "\r\n");
    return !t->full;
}

/* It is one of several that users get by who they are: nobody else can ask for it. */
static bool is_by_user(const struct object *o)
{
    struct slice rest = o->vary, name;
    while (list_next(&rest, &name))
        if (slice_is(name, "authorization") || slice_is(name, "cookie"))
            return true;
    return false;
}

static bool begin(struct xchg *x, struct renewal *r, struct slice request)
{
    if (!internal_open(x->worker, x->listen, request, &r->requester))
        return false;
    struct xchg *own = r->requester.leg->xchg;
    r->client = x->behalf ? *x->behalf : x->peer;
    own->behalf = &r->client;
    own->stored = r; /* until it is looked up: it only has to be there */
    if (x->user.p && !xchg_set_user(own, x->user))
        internal_cancel(&r->requester);
    return true;
}

void renewal_start(struct xchg *x, struct object *o)
{
    struct text request;
    if (x->snap != x->worker->snapshot || /* its listener is of a configuration that is leaving */
        is_by_user(o))
        return;
    if (atomic_exchange(&o->refreshing, true))
        return;
    struct renewal *r = write_request(x, &request) ? calloc(1, sizeof *r) : NULL;
    if (r) {
        r->requester.head = take_head;
        r->requester.bytes = take_bytes;
        r->requester.closing = closing;
        r->requester.end = end;
        r->object = o;
        if (begin(x, r, text_slice(&request))) {
            object_hold(o);
            return;
        }
    }
    free(r);
    atomic_store(&o->refreshing, false);
}
