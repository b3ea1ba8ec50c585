/*
 * The client names the destination: absolute-form or CONNECT's authority. The decision is made
 * twice, once on what the request shows and once per address, because a name says nothing about
 * where it leads; the second one is the one that counts.
 */
#include "forward/where.h"

#include "core/report/evidence.h"
#include "core/report/logrec.h"
#include "core/exchange/xchg.h"
#include "forward/auth.h"
#include "forward/conf.h"
#include "forward/parents.h"
#include "forward/sni.h"
#include "forward/transparent.h"
#include "io/dns.h"
#include "io/sock.h"
#include "policy/edits.h"
#include "policy/evidence.h"

struct notes {
    struct policy_decision decision;
    const struct policy_rule *answer; /* that let the answer pass; NULL: none was needed */
    u8 tried;                         /* proxies of the parent, a bit for each */
};

/* `dns { search D; }`: a name without a dot is another name before any rule sees it. */
void forward_search(const struct worker *w, struct host *h)
{
    char area[sizeof h->name];
    struct text t = text_in(area, sizeof area - 1);
    if (h->literal || memchr(h->name, '.', h->len) != NULL)
        return;
    if (!dns_search(w->engine->dns, (struct slice){ h->name, h->len }, &t) || t.full)
        return;
    memcpy(h->name, t.p, t.n);
    h->name[t.n] = 0;
    h->len = (u8)t.n;
}

/* Fills the rest of *q, which is zero. */
static inline void ask(const struct xchg *x, struct policy_question *q)
{
    q->client = unlikely(x->behalf != NULL) ? *x->behalf : x->peer;
    q->user = x->user;
    q->connect = x->req.method == METHOD_CONNECT;
    q->method = x->req.method;
    q->method_text = x->req.method_text;
    q->host = &x->uri.host;
    q->port = x->uri.port;
    q->query = x->uri.query;
    q->now_s = x->worker->loop.now.wall_us / 1000000;
    if (likely(!q->connect)) {
        q->path = x->uri.path;
        q->request = &x->req;
    }
    q->reader = x->worker->id;
    if (unlikely(x->intercepted))
        transparent_ask(intercepted_told(x->intercepted), q);
}

static void count(const struct xchg *x, const struct policy_decision *d)
{
    const struct forward_part *part = forward_part_of(x->listen);
    if (d->rule && d->action != POLICY_NEEDS_ADDRESS)
        rule_count_decided(part, d->rule, x->worker->id);
    if (unlikely(d->shadow))
        rule_count_shadowed(part, d->shadow, x->worker->id);
}

static struct slice shadow_of(const struct policy_decision *d)
{
    return d->shadow ? policy_rule_name(d->shadow) : SLICE("");
}

void forward_write_evidence(struct text *t, const struct policy *policy,
                            const struct policy_question *q, const struct policy_decision *d)
{
    char entry[EVIDENCE_TEXT + 32], place[EVIDENCE_PLACE + 32], matched[EVIDENCE_MATCHED];
    struct text et = text_in(entry, sizeof entry), pt = text_in(place, sizeof place),
                mt = text_in(matched, sizeof matched);
    if (d->listed.list.n) {
        evidence_put(&et, d->listed.file, EVIDENCE_TEXT, true);
        text_char(&et, ':');
        text_u64(&et, d->listed.line);
    }
    policy_evidence_place(&pt, policy, d);
    policy_evidence_matched(&mt, policy, q, d);
    evidence_write(t, &(struct evidence){ .rule = d->rule_name,
                                          .list = d->listed.list,
                                          .category = d->listed.category,
                                          .entry = text_slice(&et),
                                          .place = text_slice(&pt),
                                          .matched = text_slice(&mt) });
}

/* The texts of a list are gone when its content is exchanged, and the rest is not to be found again
 * without the question: so it is all copied. */
static void note_evidence(struct xchg *x, const struct policy_question *q,
                          const struct policy_decision *d)
{
    char *area = arena_try(&x->arena, EVIDENCE_MOST);
    if (area == NULL)
        return;
    struct text t = text_in(area, EVIDENCE_MOST);
    forward_write_evidence(&t, forward_part_of(x->listen)->policy, q, d);
    x->evidence = text_slice(&t);
}

void forward_note_refusal(struct xchg *x)
{
    struct policy_question q = { .destination = x->server.family ? &x->server : NULL };
    struct policy_decision d;
    if (xchg_evidence(x).n > x->rule.n)
        return;
    ask(x, &q);
    policy_decide(forward_part_of(x->listen)->policy, &q, &d);
    if (d.action == POLICY_NEEDS_ADDRESS) { /* the name led to none */
        q.address_unknown = true;
        policy_decide(forward_part_of(x->listen)->policy, &q, &d);
    }
    if (d.action == POLICY_DENY && d.fault == x->fault && slice_eq(d.rule_name, x->rule))
        note_evidence(x, &q, &d);
}

enum verdict forward_rules(struct xchg *x)
{
    struct notes *n = xchg_role_area(x, struct notes);
    struct policy_decision *d = &n->decision;
    n->answer = NULL; /* what the area holds is of another exchange */
    forward_search(x->worker, &x->uri.host);
    struct policy_question q = { .destination = NULL };
    ask(x, &q);
    policy_decide(forward_part_of(x->listen)->policy, &q, d);
    if (d->exhausted)
        stat_add(x->worker->stats, STAT_patterns_exhausted_total, 1);
    if (d->address_free || d->action == POLICY_DENY)
        count(x, d);
    x->shadow = shadow_of(d);
    x->rule = d->rule_name;
    if (unlikely(d->listed.list.n))
        note_evidence(x, &q, d);
    x->reason = d->reason;
    x->fault = d->action == POLICY_DENY ? d->fault : FAULT_NONE;
    return x->fault == FAULT_NONE ? PASS : REFUSED;
}

static enum verdict judge_answer(struct xchg *x, const struct policy *policy)
{
    struct policy_decision d;
    bool parent = x->to.is_parent;
    struct policy_question q = { .destination = x->server.family && !parent ? &x->server : NULL,
                                 .address_unknown = parent,
                                 .answer = &x->resp };
    ask(x, &q);
    policy_judge(policy, &q, &d);
    if (d.exhausted)
        stat_add(x->worker->stats, STAT_patterns_exhausted_total, 1);
    count(x, &d);
    xchg_role_area(x, struct notes)->answer = d.rule;
    x->shadow = d.shadow ? shadow_of(&d) : x->shadow;
    if (d.action != POLICY_DENY)
        return PASS;
    x->rule = d.rule_name;
    x->reason = d.reason;
    x->fault = d.fault;
    note_evidence(x, &q, &d);
    return REFUSED;
}

enum verdict forward_judge(struct xchg *x)
{
    const struct forward_part *part = forward_part_of(x->listen);
    if (likely(!part->judges))
        return PASS;
    if (x->to.is_parent && x->resp.status == 407) { /* it wants that of us */
        xchg_refused_by_parent(x);
        return REFUSED;
    }
    return policy_judges(part->policy) ? judge_answer(x, part->policy) : PASS;
}

/* The one that decided, whether for all addresses or for the last that was asked about. */
static const struct policy_rule *rule_of(const struct xchg *x)
{
    const struct policy_decision *d = &xchg_role_area(x, struct notes)->decision;
    return d->action == POLICY_ALLOW && d->address_free
               ? d->rule
               : policy_rule_named(forward_part_of(x->listen)->policy, x->rule);
}

const struct cache_rule *forward_caching(const struct xchg *x, bool vetted)
{
    const struct policy_decision *d = &xchg_role_area(x, struct notes)->decision;
    bool known = vetted || (d->action == POLICY_ALLOW && d->address_free);
    if (likely(!forward_part_of(x->listen)->steers_cache) || !known)
        return NULL;
    const struct policy_rule *r = rule_of(x);
    return r ? policy_rule_cache(r) : NULL;
}

bool forward_alters(const struct xchg *x)
{
    const struct policy_decision *d = &xchg_role_area(x, struct notes)->decision;
    if (likely(!forward_part_of(x->listen)->edits))
        return false;
    return d->action != POLICY_ALLOW || !d->address_free ||
           (d->rule && policy_rule_edits(d->rule, false));
}

bool forward_apply_edits(struct xchg *x, bool response)
{
    const struct notes *n = xchg_role_area(x, struct notes);
    struct msg *m = response ? &x->resp : &x->req;
    const struct policy_rule *r = rule_of(x);
    if (r && !edits_apply(policy_rule_edits(r, response), m))
        return false;
    bool judged = forward_part_of(x->listen)->judges; /* else `answer` was never set */
    return !response || !judged || n->answer == NULL ||
           edits_apply(policy_rule_edits(n->answer, true), m);
}

/* The rule's parent; NULL: it is connected to here. */
static const struct parents *parents_of(const struct xchg *x, const struct policy_rule *rule)
{
    const struct forward_part *part = forward_part_of(x->listen);
    if (likely(part->parents == NULL) || rule == NULL)
        return NULL;
    return part->parents[policy_rule_number(part->policy, rule)];
}

enum verdict forward_where(struct xchg *x)
{
    struct notes *n = xchg_role_area(x, struct notes);
    const struct policy_rule *rule = n->decision.rule;
    const struct parents *parents = parents_of(x, rule);
    if (unlikely(parents))
        return parents_choose(x, parents, &n->tried);
    x->to = (struct destination){ .profile = forward_part_of(x->listen)->profile,
                                  .host = &x->uri.host,
                                  .port = x->uri.port,
                                  .prefer = rule ? policy_rule_prefers(rule) : 0 };
    return PASS;
}

bool forward_next(struct xchg *x, enum fault why)
{
    const struct notes *n = xchg_role_area(x, struct notes);
    return x->to.is_parent && parents_next(x, parents_of(x, n->decision.rule), n->tried, why);
}

struct ruling forward_vet(const struct xchg *x, const struct addr *a)
{
    const struct policy_decision *first = &xchg_role_area(x, struct notes)->decision;
    enum fault why;
    if (unlikely(x->to.is_parent)) /* its address is configured, hence trusted */
        return (struct ruling){ FAULT_NONE, first->rule_name, first->reason, SLICE("") };
    if (first->action == POLICY_ALLOW && first->address_free) {
        if (a == NULL || policy_class_allowed(first->reach, a, &why))
            why = FAULT_NONE;
        return (struct ruling){ why, first->rule_name, first->reason, SLICE("") };
    }
    struct policy_decision d;
    struct policy_question q = { .destination = a, .address_unknown = a == NULL };
    ask(x, &q);
    policy_decide(forward_part_of(x->listen)->policy, &q, &d);
    count(x, &d);
    return (struct ruling){ d.action == POLICY_DENY ? d.fault : FAULT_NONE, d.rule_name, d.reason,
                            shadow_of(&d) };
}

enum fault forward_ask_record(struct worker *w, const struct access_record *r,
                              struct target_uri *uri, struct policy_question *q)
{
    struct slice method = access_record_string(r, STRING_METHOD);
    *q = (struct policy_question){ .client = r->client,
                                   .method = method_find(method),
                                   .method_text = method,
                                   .destination = r->parent ? NULL : &r->server,
                                   .address_unknown = r->parent,
                                   .reader = w->id };
    struct slice user = access_record_string(r, STRING_USER);
    if (user.n)
        q->user = user;
    enum fault f = target_parse(q->method, access_record_string(r, STRING_TARGET), NULL, uri);
    if (f != FAULT_NONE)
        return f;
    forward_search(w, &uri->host);
    q->connect = q->method == METHOD_CONNECT;
    q->host = &uri->host;
    q->port = uri->port;
    q->path = q->connect ? (struct slice){ NULL, 0 } : uri->path;
    q->query = uri->query;
    return FAULT_NONE;
}

enum fault forward_begin_recheck(struct worker *w, const struct policy *policy,
                                 const struct access_record *r, struct target_uri *uri,
                                 struct policy_question *q, u32 *grace_ms)
{
    *grace_ms = policy_grace(policy);
    if (!policy_client_allowed(policy, &r->client))
        return FAULT_client_not_allowed;
    return forward_ask_record(w, r, uri, q);
}

struct ruling forward_judge_again(const struct policy *policy, const struct policy_question *q)
{
    struct policy_decision d;
    policy_decide(policy, q, &d);
    return (struct ruling){ d.action == POLICY_DENY ? d.fault : FAULT_NONE, d.rule_name, d.reason,
                            SLICE("") };
}

struct ruling forward_recheck(struct worker *w, const struct listener *l,
                              const struct access_record *r, u32 *grace_ms)
{
    const struct policy *policy = forward_part_of(l)->policy;
    struct target_uri uri;
    struct policy_question q;
    enum fault f = forward_begin_recheck(w, policy, r, &uri, &q, grace_ms);
    if (f != FAULT_NONE) /* not whole in the record: nobody can say that it may go on */
        return (struct ruling){ .fault = f };
    if (q.user.p == NULL && forward_auth_asks(l, &q.client, q.host))
        return (struct ruling){ .fault = FAULT_auth_required };
    struct ruling ruling = forward_judge_again(policy, &q);
    return ruling.fault != FAULT_NONE ? ruling : forward_sni_recheck(l, r, &q);
}
