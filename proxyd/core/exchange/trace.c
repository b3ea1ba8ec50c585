#include "core/exchange/trace.h"

#include "core/exchange/local_reply.h"
#include "http/h1_write.h"
#include "http/hop.h"

static bool confidential(const struct field *f)
{
    return f->id == TOKEN_AUTHORIZATION || f->id == TOKEN_PROXY_AUTHORIZATION ||
           f->id == TOKEN_COOKIE;
}

enum verdict reply_trace(struct xchg *x)
{
    size_t room = x->req.text_len + x->req.target.n + x->req.nfields +
                  64u; /* a blank may be added to each field */
    char *area = arena_try(&x->arena, room);
    if (area == NULL) {
        x->fault = FAULT_out_of_memory;
        return REFUSED;
    }
    struct text t = text_in(area, room);
    for (u32 i = 0; i < x->req.nfields; i++)
        if (confidential(&x->req.fields[i]))
            msg_remove_field(&x->req, &x->req.fields[i]);
    h1_write_request_line(&t, x->req.method_text, x->req.target);
    h1_write_fields(&t, &x->req);
    text_lit(&t, "\r\n");
    reply_begin(x, 200, SLICE(""));
    return reply_kept(x, SLICE("message/http"), text_slice(&t));
}

enum verdict reply_options(struct xchg *x)
{
    reply_begin(x, 200, SLICE(""));
    (void)msg_add_line(
        &x->resp, TOKEN_ALLOW,
        SLICE("Allow: GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH\r\n"));
    return reply_kept(x, SLICE(""), SLICE(""));
}

enum verdict check_max_forwards(struct xchg *x)
{
    u32 value;
    x->fault = max_forwards(&x->req, &value, &x->has_max_forwards);
    if (x->fault != FAULT_NONE)
        return REFUSED;
    if (!x->has_max_forwards)
        return PASS;
    if (value == 0)
        return x->req.method == METHOD_TRACE ? reply_trace(x) : reply_options(x);
    x->max_forwards = value - 1;
    return PASS;
}
