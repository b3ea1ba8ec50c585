#include "forecast.h"

#include "base/clock.h"
#include "base/must.h"
#include "core/common/self_addrs.h"
#include "forecast_head.h"
#include "forward/auth.h"
#include "forward/auth/users.h"
#include "forward/conf.h"
#include "forward/own.h"
#include "forward/role.h"
#include "forward/transparent.h"

static bool has_policy(const struct role *r)
{
    return r == &forward_role || r == &transparent_role;
}

/* Without a name a forward one, if there is one. */
const struct listener *forecast_listener(const struct snapshot *s, struct slice name)
{
    const struct listener *other = NULL;
    for (u32 i = 0; i < s->nlisteners; i++) {
        const struct listener *l = &s->listeners[i];
        if (!has_policy(l->role) || (name.n && !slice_eq(l->name, name)))
            continue;
        if (l->role == &forward_role || name.n)
            return l;
        other = other ? other : l;
    }
    return other;
}

/* ---- the rules ---- */

static void apply_search(const struct lookup *l, struct host *h)
{
    char area[sizeof h->name];
    struct text t = text_in(area, sizeof area - 1);
    if (l == NULL || h->literal || memchr(h->name, '.', h->len) != NULL)
        return;
    if (!l->search(l->ctx, (struct slice){ h->name, h->len }, &t) || t.full)
        return;
    memcpy(h->name, t.p, t.n);
    h->name[t.n] = 0;
    h->len = (u8)t.n;
}

static struct policy_question question_of(const struct forecast *v,
                                          const struct forecast_request *r)
{
    bool connect = v->msg->method == METHOD_CONNECT;
    struct policy_question q = {
        .client = r->from,
        .user = v->user,
        .connect = connect,
        .method = v->msg->method,
        .method_text = v->msg->method_text,
        .host = &v->uri.host,
        .port = v->uri.port,
        .query = v->uri.query,
        .now_s = r->at_s ? r->at_s : clock_us(CLOCK_REALTIME) / 1000000,
        .reader = r->reader,
    };
    if (!connect) {
        q.path = v->uri.path;
        q.request = r->fields_shown ? v->msg : NULL;
    }
    if (v->listener->role->intercepts) { /* a client that goes where the name leads */
        q.name = v->uri.host.literal ? NAME_ABSENT : NAME_CONFIRMED;
        q.tls = connect;
        q.sni_absent = connect && v->uri.host.literal;
    }
    return q;
}

static void decide(const struct forecast *v, const struct forecast_request *r,
                   const struct policy_question *q, struct arena *a, struct policy_decision *d,
                   struct explained *walk)
{
    if (r->explain)
        policy_explain(v->policy, q, a, d, walk);
    else
        policy_decide(v->policy, q, d);
}

/* ---- the addresses ---- */

/* As forward_vet does, behind the guard of every dial. */
static void judge(const struct snapshot *s, struct forecast *v, const struct forecast_request *r,
                  struct policy_question q, struct arena *a, struct forecast_address *one)
{
    one->class = addr_class(&one->addr);
    one->decision = v->decision;
    if (self_addrs_has(s->self_addrs, &one->addr)) {
        one->decision.action = POLICY_DENY;
        one->decision.reason = SLICE("");
        one->fault = FAULT_own_listener;
    } else if (v->decision.action == POLICY_ALLOW && v->decision.address_free) {
        if (policy_class_allowed(v->decision.reach, &one->addr, &one->fault))
            one->fault = FAULT_NONE;
    } else {
        q.destination = &one->addr;
        one->asked_again = true;
        decide(v, r, &q, a, &one->decision, &one->walk);
        one->fault = one->decision.action == POLICY_DENY ? one->decision.fault : FAULT_NONE;
    }
}

static void find_addresses(struct forecast *v, const struct forecast_request *r)
{
    struct dns_answer answer = { .n = 1 };
    struct slice name = { v->uri.host.name, v->uri.host.len };
    if (v->uri.host.literal) {
        answer.addr[0] = v->uri.host.addr;
    } else if (r->ngiven) {
        for (answer.n = 0; answer.n < r->ngiven && answer.n < DNS_ADDRESSES; answer.n++)
            answer.addr[answer.n] = r->given[answer.n];
    } else if (r->lookup) {
        v->looked_up = true;
        r->lookup->ask(r->lookup->ctx, name, &answer);
    } else {
        must(addr_parse(SLICE("192.0.1.1"), &answer.addr[0])); /* a public one; none is dialled */
    }
    v->lookup = answer.fault;
    for (u8 i = 0; i < answer.n; i++) {
        v->address[i].addr = answer.addr[i];
        v->address[i].addr.port = v->uri.port;
    }
    v->naddresses = answer.n;
}

/* A client that may not go there anyway does not learn whether the name exists. */
static void without_address(struct forecast *v, const struct forecast_request *r,
                            struct policy_question q, struct arena *a)
{
    enum fault f = v->lookup == FAULT_NONE ? FAULT_dns_no_address : v->lookup;
    v->by = FORECAST_LOOKUP;
    v->fault = f;
    if (v->decision.action == POLICY_ALLOW && v->decision.address_free)
        return;
    q.address_unknown = true;
    decide(v, r, &q, a, &v->decision, &v->walk);
    if (v->decision.action == POLICY_DENY)
        v->fault = v->decision.fault;
}

/* Which family is tried first: what the rule prefers, else IPv6. */
static bool comes_before(const struct forecast *v, const struct forecast_address *a,
                         const struct forecast_address *b)
{
    sa_family_t prefer = v->decision.rule ? policy_rule_prefers(v->decision.rule) : 0;
    prefer = prefer ? prefer : AF_INET6;
    return b == NULL || (a->addr.family == prefer && b->addr.family != prefer);
}

static void by_addresses(struct forecast *v)
{
    v->by = FORECAST_ADDRESSES;
    for (u32 i = 0; i < v->naddresses; i++) {
        const struct forecast_address *one = &v->address[i];
        if (one->fault == FAULT_NONE && comes_before(v, one, v->dialled))
            v->dialled = one;
    }
    v->last = v->dialled ? &v->dialled->decision : &v->address[0].decision;
    v->fault = v->dialled ? FAULT_NONE : v->address[0].fault;
}

/* ---- what comes later ---- */

static void deny_further(struct forecast *v, enum forecast_by by, enum fault f)
{
    v->by = by;
    v->fault = f;
    v->last = &v->further;
}

static void lead_to(const struct forecast *v, struct policy_question *q)
{
    q->destination = v->dialled ? &v->dialled->addr : NULL;
    q->address_unknown = v->dialled == NULL;
}

/* As forward_inspect does, for a name. */
static void judge_name(struct forecast *v, const struct forecast_request *r,
                       struct policy_question q, struct arena *a)
{
    struct host *name = arena_zalloc(a, sizeof *name);
    if (!q.connect || r->sni.n == 0 || policy_sni(v->policy) == SNI_IGNORE)
        return;
    if (host_parse(r->sni, name) != FAULT_NONE) {
        deny_further(v, FORECAST_NAME, FAULT_client_hello_malformed);
        return;
    }
    apply_search(r->lookup, name);
    if (name->len == v->uri.host.len && memcmp(name->name, v->uri.host.name, name->len) == 0)
        return;
    if (q.user.p == NULL && forward_auth_asks(v->listener, &q.client, name)) {
        deny_further(v, FORECAST_NAME, FAULT_auth_required);
        return;
    }
    q.host = name;
    lead_to(v, &q);
    decide(v, r, &q, a, &v->further, &v->further_walk);
    bool elsewhere = v->further.rule && policy_rule_via(v->further.rule).n && v->dialled;
    if (v->further.action == POLICY_DENY || elsewhere)
        deny_further(v, FORECAST_NAME, FAULT_sni_denied);
}

/* As forward_judge does. */
static void judge_answer(struct forecast *v, const struct forecast_request *r,
                         struct policy_question q, struct arena *a)
{
    const struct head_limits limits = { .head = UINT16_MAX, .line = UINT16_MAX, .fields = 1024 };
    if (q.connect || r->response.n == 0 || !policy_judges(v->policy))
        return;
    struct msg *answer = arena_alloc(a, sizeof *answer);
    msg_init(answer, a);
    enum fault f = response_parse(answer, r->response.p, (u32)r->response.n, &limits, q.method);
    if (f != FAULT_NONE) {
        deny_further(v, FORECAST_ANSWER, f);
        return;
    }
    q.answer = answer;
    lead_to(v, &q);
    policy_judge(v->policy, &q, &v->further);
    if (v->further.action == POLICY_DENY)
        deny_further(v, FORECAST_ANSWER, v->further.fault);
}

/* ---- all of it ---- */

/* A page of the listener's own, by its whole URL. On a wildcard it is any address of this machine:
 * which one a client has reached is not known here. */
static bool is_own_page(const struct snapshot *s, const struct forecast *v)
{
    struct addr own = v->listener->at->addr, named = v->uri.host.addr;
    named.port = v->uri.port;
    if (v->uri.form != TARGET_ABSOLUTE || !v->uri.host.literal || named.port != own.port)
        return false;
    bool same =
        addr_is_wildcard(&own) ? self_addrs_has(s->self_addrs, &named) : addr_same(&own, &named);
    return same && forward_own_path(v->uri.path);
}

static bool is_for_the_proxy(const struct snapshot *s, const struct forecast *v)
{
    return v->uri.form == TARGET_ORIGIN || v->uri.form == TARGET_ASTERISK || is_own_page(s, v);
}

static void answer_itself(struct forecast *v)
{
    enum method m = v->msg->method;
    v->by = FORECAST_OWN;
    if (v->uri.form == TARGET_ASTERISK || m == METHOD_TRACE)
        return;
    if (!forward_own_path(v->uri.path))
        v->fault = FAULT_not_found;
    else if (m != METHOD_GET && m != METHOD_HEAD)
        v->fault = FAULT_method_not_allowed;
}

/* As forward_auth does, but for the password: false when the proof fails. */
static bool prove(const struct listener *l, const struct forecast_request *r, struct arena *a,
                  struct forecast *v)
{
    apply_search(r->lookup, &v->uri.host);
    if (!forward_auth_asks(l, &r->from, &v->uri.host))
        return true;
    if (r->user.p)
        v->user = auth_users_identity(forward_part_of(l)->users, r->user, a);
    if (v->user.p)
        return true;
    v->by = FORECAST_AUTH;
    v->fault = r->user.p ? FAULT_auth_failed : FAULT_auth_required;
    return false;
}

/* Where the name leads, and may it lead there? */
static void ask_addresses(const struct snapshot *s, const struct forecast_request *r,
                          struct policy_question q, struct arena *a, struct forecast *v)
{
    find_addresses(v, r);
    if (v->naddresses == 0) {
        without_address(v, r, q, a);
        return;
    }
    for (u32 i = 0; i < v->naddresses; i++)
        judge(s, v, r, q, a, &v->address[i]);
    by_addresses(v);
}

static void ask_rules(const struct snapshot *s, const struct forecast_request *r, struct arena *a,
                      struct forecast *v)
{
    apply_search(r->lookup, &v->uri.host);
    struct policy_question q = question_of(v, r);
    v->by = FORECAST_RULES;
    decide(v, r, &q, a, &v->decision, &v->walk);
    if (v->decision.action == POLICY_DENY) {
        v->fault = v->decision.fault;
        return;
    }
    if (forecast_via(v).n == 0) /* else the parent looks it up, and its own address is trusted */
        ask_addresses(s, r, q, a, v);
    if (v->fault == FAULT_NONE)
        judge_name(v, r, q, a);
    if (v->fault == FAULT_NONE)
        judge_answer(v, r, q, a);
}

void forecast_make(const struct snapshot *s, const struct listener *l,
                   const struct forecast_request *r, struct arena *a, struct forecast *v)
{
    *v = (struct forecast){ .listener = l, .policy = forward_part_of(l)->policy };
    v->last = &v->decision;
    v->fault = forecast_read_head(s, r, a, v);
    if (v->fault != FAULT_NONE && v->fault != FAULT_body_too_large) {
        v->by = FORECAST_HEAD;
        return;
    }
    if (!policy_client_allowed(v->policy, &r->from)) {
        v->by = FORECAST_CLIENTS;
        v->fault = FAULT_client_not_allowed;
    } else if (v->fault == FAULT_body_too_large) {
        v->by = FORECAST_HEAD;
    } else if (is_for_the_proxy(s, v) && !l->role->intercepts) {
        answer_itself(v);
    } else if (prove(l, r, a, v)) {
        ask_rules(s, r, a, v);
    }
}

struct slice forecast_via(const struct forecast *v)
{
    const struct policy_rule *rule = v->decision.rule;
    return rule && v->decision.action == POLICY_ALLOW ? policy_rule_via(rule) : SLICE("");
}
