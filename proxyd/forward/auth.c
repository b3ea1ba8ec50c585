/*
 * `auth` on the way of a request. Which answer an exchange gets must not depend on how it asks:
 * CONNECT and plain requests take the same way, and the page of a 407 says no more to one who knows
 * a name than to one who does not.
 */
#include "forward/auth.h"

#include "core/exchange/xchg.h"
#include "forward/auth/scheme.h"
#include "forward/conf.h"
#include "forward/where.h"

/* In the role's area of an exchange that is refused before any rule is asked. */
struct wait_note {
    u32 seconds;
};

static enum verdict refuse(struct xchg *x, enum fault why)
{
    x->fault = why;
    return REFUSED;
}

/* It is known who asks: may he ask as often as that? */
static enum verdict count_request(struct xchg *x, struct auth_meter *m)
{
    const struct rate_conf *most = &forward_part_of(x->listen)->user_rate;
    if (likely(most->count == 0) || m == NULL)
        return PASS;
    u32 wait = auth_meter_take(m, most->count, most->period_ms * 1000000ull,
                               x->worker->loop.now.mono_us * 1000);
    if (wait == 0)
        return PASS;
    xchg_role_area(x, struct wait_note)->seconds = wait;
    return refuse(x, FAULT_user_rate);
}

/* *m is held by somebody else. */
static enum verdict end(struct xchg *x, const struct auth_scheme *s, enum verdict v,
                        struct auth_meter *m)
{
    if (v == PARKED)
        return v;
    stat_add(x->worker->stats, v == PASS ? s->passed : s->failed, 1);
    return v == PASS ? count_request(x, m) : v;
}

static struct slice credentials_of(const struct xchg *x)
{
    return msg_get(&x->req, TOKEN_PROXY_AUTHORIZATION);
}

static enum verdict check(struct xchg *x, const struct forward_part *part)
{
    struct slice credentials = credentials_of(x);
    struct auth_known known;
    if (credentials.p == NULL)
        return refuse(x, FAULT_auth_required);
    const struct auth_scheme *s = auth_scheme_of(part->auth, credentials);
    if (s == NULL || msg_count(&x->req, TOKEN_PROXY_AUTHORIZATION) > 1)
        return refuse(x, FAULT_auth_malformed);
    struct auth_print print = auth_print_of(credentials);
    if (!auth_check_known(x->worker, part->users, print, &known))
        return end(x, s, s->begin(x, part->users, print, credentials), NULL);
    if (known.identity.p == NULL)
        return end(x, s, refuse(x, FAULT_auth_failed), NULL);
    bool kept = xchg_set_user(x, known.identity);
    return end(x, s, kept ? PASS : refuse(x, FAULT_out_of_memory), known.meter);
}

bool forward_auth_asks(const struct listener *l, const struct addr *client, const struct host *host)
{
    const struct policy_auth *auth = forward_part_of(l)->auth;
    return unlikely(auth != NULL) && client->family != 0 && /* not the proxy itself */
           !policy_auth_excepts(auth, client, host);
}

enum verdict forward_auth(struct xchg *x)
{
    if (likely(forward_part_of(x->listen)->auth == NULL))
        return PASS;
    if (x->user.p) /* the exchange that this one belongs to has proved it, and was counted */
        return PASS;
    forward_search(x->worker, &x->uri.host); /* exceptions are for the host that rules see */
    if (likely(!forward_auth_asks(x->listen, &x->peer, &x->uri.host)))
        return PASS;
    return check(x, forward_part_of(x->listen));
}

enum verdict forward_auth_resume(struct xchg *x)
{
    struct auth_meter *m = NULL;
    enum verdict v = auth_check_resume(x, &m);
    if (v == PARKED)
        return v;
    v = end(x, auth_scheme_of(forward_part_of(x->listen)->auth, credentials_of(x)), v, m);
    auth_meter_drop(m);
    return v;
}

void forward_challenge(const struct xchg *x, struct msg *resp)
{
    char area[512];
    struct text t = text_in(area, sizeof area);
    auth_scheme_challenge(forward_part_of(x->listen)->auth, &t);
    if (!t.full)
        (void)msg_add(resp, SLICE("Proxy-Authenticate"), text_slice(&t));
}

void forward_retry_after(struct xchg *x, struct msg *resp)
{
    char area[48];
    struct text t = text_in(area, sizeof area);
    text_lit(&t, "Retry-After: ");
    text_u64(&t, x->fault == FAULT_user_rate ? xchg_role_area(x, struct wait_note)->seconds
                                             : AUTH_LONGEST_WAIT_S);
    text_lit(&t, "\r\n");
    (void)msg_add_line(resp, TOKEN_RETRY_AFTER, text_slice(&t));
}
