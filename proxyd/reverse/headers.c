/*
 * A gateway tells its servers who asks (X-Forwarded-*, made here and nowhere else) and under
 * which name, and hides them from the client: nothing is added to answers.
 */
#include "reverse/headers.h"

#include "core/exchange/via.h"
#include "core/exchange/xchg.h"
#include "http/hop.h"
#include "reverse/identity.h"

/* X-Forwarded-Host is what the client asked for, whatever Host the server gets. */
static bool add_forwarded_host(struct xchg *x)
{
    struct text t;
    if (x->uri.host.len == 0)
        return true;
    if (!msg_compose(&x->req, x->uri.host.len + sizeof "X-Forwarded-Host: []:65535\r\n", &t))
        return false;
    struct slice spelled = target_authority(&x->uri);
    text_lit(&t, "X-Forwarded-Host: ");
    if (likely(spelled.p))
        text_add(&t, spelled);
    else
        host_write(&t, &x->uri.host, x->uri.port == 80 ? 0 : x->uri.port);
    text_lit(&t, "\r\n");
    msg_keep_line(&x->req, TOKEN_X_FORWARDED_HOST, &t);
    return true;
}

static bool add_client(struct xchg *x)
{
    struct text t;
    if (!msg_compose(&x->req, ADDR_TEXT + sizeof "X-Forwarded-For: \r\n", &t))
        return false;
    text_lit(&t, "X-Forwarded-For: ");
    reverse_client(x, &t);
    text_lit(&t, "\r\n");
    msg_keep_line(&x->req, TOKEN_X_FORWARDED_FOR, &t);
    return msg_add_line(&x->req, TOKEN_X_FORWARDED_PROTO, SLICE("X-Forwarded-Proto: http\r\n"));
}

bool reverse_edit_request(struct xchg *x)
{
    hop_strip(&x->req);
    return add_client(x) && add_forwarded_host(x) && via_sign(x, &x->req);
}

/* A 1.0 client may send no Host; the server then gets its own name. */
bool reverse_address_request(struct xchg *x)
{
    if (x->uri.host.len)
        return msg_address(&x->req, &x->uri, &x->uri.host, x->uri.port);
    return msg_address(&x->req, &x->uri, x->to.host, x->to.port);
}

bool reverse_edit_response(struct xchg *x)
{
    hop_strip(&x->resp);
    return true;
}

void reverse_refuse(struct xchg *x, struct msg *resp, struct refusal *r)
{
    (void)r; /* the clients of a server cannot do anything about it */
    if (x->fault == FAULT_method_not_allowed)
        (void)msg_add_line(resp, TOKEN_ALLOW,
                           SLICE("Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH\r\n"));
}
