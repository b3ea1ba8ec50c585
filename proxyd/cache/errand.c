#include "cache/errand.h"

#include "cache/notes.h"
#include "http/h1_write.h"
#include "http/hop.h"

static void strip(struct msg *m, bool ranges)
{
    static const enum token own[] = { TOKEN_CACHE_CONTROL, TOKEN_PRAGMA,
                                      TOKEN_IF_NONE_MATCH, TOKEN_IF_MODIFIED_SINCE,
                                      TOKEN_EXPECT,        TOKEN_AUTHORIZATION,
                                      TOKEN_COOKIE };
    hop_strip(m);
    for (unsigned i = 0; i < countof(own); i++)
        msg_remove(m, own[i]);
    if (ranges)
        return;
    msg_remove(m, TOKEN_RANGE);
    msg_remove(m, TOKEN_IF_RANGE);
}

bool errand_request(struct xchg *x, bool ranges, struct text *t)
{
    const struct notes *n = notes_of(x);
    struct msg *m = arena_try(&x->arena, sizeof *m);
    if (m == NULL || !msg_share(m, &x->req, &x->arena))
        return false;
    strip(m, ranges);
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

bool errand_is_by_user(const struct object *o)
{
    struct slice rest = o->vary, name;
    while (list_next(&rest, &name))
        if (slice_is(name, "authorization") || slice_is(name, "cookie"))
            return true;
    return false;
}

enum flow errand_swallow(struct requester *r, struct slice run, size_t *taken)
{
    (void)r;
    *taken = run.n;
    return FLOW_OK;
}
