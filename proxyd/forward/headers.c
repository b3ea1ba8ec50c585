/*
 * A forward proxy hides its client: nothing about it is added, everything that was meant for the
 * proxy is taken out, Host is written from the request target, and Via shows that somebody stands
 * between.
 */
#include "forward/headers.h"

#include "core/exchange/via.h"
#include "core/exchange/xchg.h"
#include "forward/auth.h"
#include "forward/conf.h"
#include "forward/parents.h"
#include "forward/own.h"
#include "forward/where.h"
#include "http/hop.h"

/* Most policies edit nothing. */
static inline bool apply_edits(struct xchg *x, bool response)
{
    return likely(!forward_part_of(x->listen)->edits) || forward_apply_edits(x, response);
}

bool forward_edit_request(struct xchg *x)
{
    hop_strip(&x->req);
    return apply_edits(x, false) && via_sign(x, &x->req);
}

bool forward_address_request(struct xchg *x)
{
    if (unlikely(x->to.is_parent))
        return parents_address(x);
    return msg_address(&x->req, &x->uri, &x->uri.host, x->uri.port);
}

bool forward_edit_response(struct xchg *x)
{
    hop_strip(&x->resp);
    if (x->resp.status >= 200 && !apply_edits(x, true))
        return false;
    return via_sign(x, &x->resp);
}

/* What the rule wants to be answered. Clients follow no redirect of a CONNECT. */
static void answer_of_rule(const struct xchg *x, struct msg *resp, struct refusal *r)
{
    const struct policy_rule *rule = policy_rule_named(forward_part_of(x->listen)->policy, x->rule);
    if (rule == NULL)
        return;
    struct policy_answer a = policy_rule_answer(rule);
    if (a.location.n && x->req.method == METHOD_CONNECT)
        return;
    if (a.location.n && !msg_add(resp, SLICE("Location"), a.location))
        return;
    r->status = a.status;
    if (a.page.n)
        r->page = a.page;
}

/* Where and whom to ask about it. */
static void point_on(const struct xchg *x, struct refusal *r)
{
    const struct policy *policy = forward_part_of(x->listen)->policy;
    size_t before = r->why->n;
    r->contact = policy_contact(policy);
    r->page = policy_page(policy);
    text_lit(r->why, "http://");
    size_t host = r->why->n;
    forward_own_address(x, r->why);
    if (r->why->n > host)
        text_lit(r->why, "/why?id=");
    else
        r->why->n = before;
}

/* To somebody who took the proxy for a web server. */
static void explain_use(const struct xchg *x, struct text *help)
{
    text_lit(help, "this is a proxy, not a web server; set it as HTTP proxy in your client, for "
                   "instance curl -x http://");
    forward_own_authority(x, help);
    text_lit(help, " http://example.com/, or let the client fetch http://");
    forward_own_authority(x, help);
    text_lit(help, "/proxy.pac; http://");
    forward_own_authority(x, help);
    text_lit(help, "/ tells it for each of them");
}

void forward_refuse(struct xchg *x, struct msg *resp, struct refusal *r)
{
    point_on(x, r);
    if (x->fault == FAULT_method_not_allowed)
        (void)msg_add_line(resp, TOKEN_ALLOW, SLICE("Allow: GET, HEAD\r\n"));
    if (unlikely(fault_info(x->fault)->status == 407))
        forward_challenge(x, resp);
    if (x->fault == FAULT_auth_too_often || x->fault == FAULT_user_rate)
        forward_retry_after(x, resp);
    if (x->fault == FAULT_not_found)
        explain_use(x, r->help);
    if (fault_info(x->fault)->whose == FAULT_OF_POLICY)
        forward_note_refusal(x);
    if (x->fault == FAULT_rule_denied || x->fault == FAULT_pattern_exhausted)
        answer_of_rule(x, resp, r);
}
