/*
 * A forward proxy hides its client: nothing about it is added, everything that was meant for the
 * proxy is taken out, Host is written from the request target, and Via tells that somebody stands
 * between.
 */
#include "forward/headers.h"

#include "core/xchg.h"
#include "forward/where.h"
#include "http/hop.h"

static void write_via(const struct xchg *x, const struct msg *m, struct text *out)
{
    text_lit(out, "Via: 1.");
    text_char(out, m->minor ? '1' : '0');
    text_char(out, ' ');
    text_cstr(out, x->worker->engine->pseudonym);
    text_lit(out, "\r\n");
}

static void write_request_line(const struct xchg *x, struct text *out)
{
    text_add(out, x->req.method_text);
    text_char(out, ' ');
    if (x->req.method == METHOD_OPTIONS && x->uri.bare)
        text_char(out, '*');
    else
        target_write(out, &x->uri);
    text_lit(out, " HTTP/1.1\r\nHost: ");
    host_write(out, &x->uri.host, x->uri.port == 80 ? 0 : x->uri.port);
    text_lit(out, "\r\n");
}

void forward_to_upstream(struct xchg *x, struct text *out)
{
    hop_strip(&x->req);
    msg_remove(&x->req, TOKEN_HOST);
    write_request_line(x, out);
    head_write_fields(out, &x->req);
    write_via(x, &x->req, out);
}

void forward_to_client(struct xchg *x, struct text *out)
{
    hop_strip(&x->resp);
    head_write_status_line(out, x->resp.status, x->resp.reason);
    head_write_fields(out, &x->resp);
    write_via(x, &x->resp, out);
}

/* To somebody who took the proxy for a web server. */
static void explain_use(const struct xchg *x, struct text *help)
{
    text_lit(help, "this is a proxy, not a web server; set it as HTTP proxy in your client, for "
                   "instance curl -x http://");
    forward_local_authority(x, help);
    text_lit(help, " http://example.com/, or let the client fetch http://");
    forward_local_authority(x, help);
    text_lit(help, "/proxy.pac");
}

void forward_refuse(struct xchg *x, struct text *fields, struct text *help)
{
    if (x->fault == FAULT_method_not_allowed)
        text_lit(fields, "Allow: GET, HEAD\r\n");
    if (x->fault == FAULT_not_found)
        explain_use(x, help);
}
