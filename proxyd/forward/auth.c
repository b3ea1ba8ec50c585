/*
 * `auth basic` on the way of a request. Which answer an exchange gets must not depend on how it
 * asks: CONNECT and plain requests take the same way, and the page of a 407 says no more to one who
 * knows a name than to one who does not.
 */
#include "forward/auth.h"

#include "core/exchange/xchg.h"
#include "forward/conf.h"
#include "policy/basic.h"

static enum verdict refuse(struct xchg *x, enum fault why)
{
    x->fault = why;
    return REFUSED;
}

static enum verdict compare(struct xchg *x, struct auth_users *u, struct auth_print print,
                            struct slice credentials)
{
    char area[BASIC_DECODED_MOST];
    struct slice name, password;
    enum verdict v = refuse(x, FAULT_auth_malformed);
    if (basic_read(credentials, area, &name, &password)) {
        x->fault = FAULT_NONE;
        v = auth_check_begin(x, u, print, name, password);
    }
    explicit_bzero(area, sizeof area);
    return v;
}

static enum verdict check(struct xchg *x, struct auth_users *u)
{
    struct slice credentials = msg_get(&x->req, TOKEN_PROXY_AUTHORIZATION), identity;
    if (credentials.p == NULL)
        return refuse(x, FAULT_auth_required);
    if (msg_count(&x->req, TOKEN_PROXY_AUTHORIZATION) > 1)
        return refuse(x, FAULT_auth_malformed);
    struct auth_print print = auth_print_of(credentials);
    switch (auth_check_known(x->worker, u, print, &identity)) {
    case AUTH_FITS: return xchg_set_user(x, identity) ? PASS : refuse(x, FAULT_out_of_memory);
    case AUTH_FITS_NOT: return refuse(x, FAULT_auth_failed);
    default: return compare(x, u, print, credentials);
    }
}

bool forward_auth_asks(const struct listener *l, const struct addr *client, const struct host *host)
{
    const struct policy_auth *auth = forward_part_of(l)->auth;
    return unlikely(auth != NULL) && client->family != 0 && /* not the proxy itself */
           !policy_auth_excepts(auth, client, host);
}

enum verdict forward_auth(struct xchg *x)
{
    if (likely(!forward_auth_asks(x->listen, &x->peer, &x->uri.host)))
        return PASS;
    return check(x, forward_part_of(x->listen)->users);
}

void forward_challenge(const struct xchg *x, struct msg *resp)
{
    char area[320];
    struct text t = text_in(area, sizeof area);
    text_lit(&t, "Basic realm=\"");
    text_add(&t, forward_part_of(x->listen)->auth->realm);
    text_lit(&t, "\", charset=\"UTF-8\"");
    if (!t.full)
        (void)msg_add(resp, SLICE("Proxy-Authenticate"), text_slice(&t));
}
