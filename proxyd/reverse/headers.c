/*
 * A gateway tells its servers who asks (X-Forwarded-*, made here and nowhere else) and under
 * which name, and hides them from the client: nothing is added to answers.
 */
#include "reverse/headers.h"

#include "core/target.h"
#include "core/xchg.h"
#include "http/hop.h"
#include "reverse/identity.h"

static void write_server(const struct target *t, struct text *out)
{
    bool v6 = t->literal && t->addr.family == AF_INET6;
    text_cstr(out, v6 ? "[" : "");
    text_put(out, t->host, t->len);
    text_cstr(out, v6 ? "]" : "");
    if (t->port != 80) {
        text_char(out, ':');
        text_u64(out, t->port);
    }
}

/* A 1.0 client may have said no Host; the server then hears its own name. */
static void write_host(const struct xchg *x, struct text *out)
{
    text_lit(out, "Host: ");
    if (x->uri.host.len)
        host_write(out, &x->uri.host, x->uri.port == 80 ? 0 : x->uri.port);
    else
        write_server(x->target, out);
    text_lit(out, "\r\n");
}

static void write_forwarded(const struct xchg *x, struct text *out)
{
    text_lit(out, "X-Forwarded-For: ");
    reverse_client(x, out);
    text_lit(out, "\r\nX-Forwarded-Proto: http\r\n");
    if (x->uri.host.len) {
        text_lit(out, "X-Forwarded-Host: ");
        host_write(out, &x->uri.host, x->uri.port == 80 ? 0 : x->uri.port);
        text_lit(out, "\r\n");
    }
    text_add(out, x->req.minor ? SLICE("Via: 1.1 ") : SLICE("Via: 1.0 "));
    text_cstr(out, x->worker->engine->pseudonym);
    text_lit(out, "\r\n");
}

void reverse_to_upstream(struct xchg *x, struct text *out)
{
    hop_strip(&x->req);
    msg_remove(&x->req, TOKEN_HOST);
    text_add(out, x->req.method_text);
    text_char(out, ' ');
    if (x->uri.form == TARGET_ASTERISK || (x->req.method == METHOD_OPTIONS && x->uri.bare))
        text_char(out, '*');
    else
        target_write(out, &x->uri);
    text_lit(out, " HTTP/1.1\r\n");
    write_host(x, out);
    head_write_fields(out, &x->req);
    write_forwarded(x, out);
}

void reverse_to_client(struct xchg *x, struct text *out)
{
    hop_strip(&x->resp);
    head_write_status_line(out, x->resp.status, x->resp.reason);
    head_write_fields(out, &x->resp);
}

void reverse_refuse(struct xchg *x, struct text *fields, struct text *help)
{
    (void)help; /* the clients of a server cannot do anything about it */
    if (x->fault == FAULT_method_not_allowed)
        text_lit(fields, "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH\r\n");
}
