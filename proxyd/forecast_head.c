/*
 * The request of a forecast as the bytes of a head, read as a connection reads them
 * (core/codec/server.c, core/exchange/xchg.c), so that what is refused there is refused here. The
 * hard thing is Host, which nobody gives: it is what the target says.
 */
#include "forecast_head.h"

#include "base/must.h"
#include "base/text.h"

/* Between "//" and the path: what Host says; of CONNECT the target. */
static struct slice authority_of(struct slice target)
{
    const char *from = memmem(target.p, target.n, "//", 2);
    struct slice rest = from ? slice_range(from + 2, target.p + target.n) : target;
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    rest.n = n;
    return n == 0 || slice_is(target, "*") ? SLICE("localhost") : rest;
}

static struct slice compose(const struct forecast_request *r, struct arena *a)
{
    size_t most = r->method.n + 2 * r->target.n + r->fields.n + 64;
    struct text t = text_in(arena_alloc(a, most), most);
    text_add(&t, r->method);
    text_char(&t, ' ');
    text_add(&t, r->target);
    text_lit(&t, " HTTP/1.1\r\nHost: ");
    text_add(&t, authority_of(r->target));
    text_lit(&t, "\r\n");
    text_add(&t, r->fields);
    text_lit(&t, "\r\n");
    must(!t.full);
    return text_slice(&t);
}

enum fault forecast_read_head(const struct snapshot *s, const struct forecast_request *r,
                              struct arena *a, struct forecast *v)
{
    struct slice head = compose(r, a);
    const struct limits_conf *c = &s->conf.limits;
    struct head_limits limits = { .head = c->head, .line = c->line, .fields = c->fields };
    struct head_scan scan = { 0 };
    struct authority *host = arena_zalloc(a, sizeof *host);
    enum fault f = FAULT_NONE;
    u32 n = head_scan(&scan, head.p, (u32)head.n, &limits, &f);
    if (f != FAULT_NONE || n == 0)
        return f != FAULT_NONE ? f : FAULT_bad_request_line;
    v->msg = arena_alloc(a, sizeof *v->msg);
    msg_init(v->msg, a);
    v->msg->host_field = host;
    f = request_parse(v->msg, head.p, n, &limits);
    if (f != FAULT_NONE && f != FAULT_bad_host)
        return f;
    bool has_host = f == FAULT_NONE && host->host.len;
    enum fault of_target =
        target_parse(v->msg->method, v->msg->target, has_host ? host : NULL, &v->uri);
    v->parsed = of_target == FAULT_NONE;
    if (v->parsed && v->msg->body == BODY_LENGTH && v->msg->body_len > c->body)
        f = FAULT_body_too_large;
    return of_target ? of_target : f;
}
