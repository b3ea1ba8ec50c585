/*
 * The second decision about a tunnel: by the name in its ClientHello. What the client asked for
 * says where the tunnel leads, the name says whom it is meant for, and a server that has both gives
 * it what the rules would have refused. So a tunnel that names another host has to be allowed to
 * that one as well, on the same port, and at the very address that it leads to.
 */
#include "forward/sni.h"

#include "core/report/logrec.h"
#include "forward/auth.h"
#include "forward/conf.h"
#include "forward/where.h"
#include "http/client_hello.h"

static enum inspection refuse(struct inspected *out, enum fault f)
{
    out->ruling.fault = f;
    return INSPECT_DENY;
}

static bool same_host(const struct host *a, const struct host *b)
{
    return a->literal == b->literal && a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}

/* Of a literal: where that leads, before where the tunnel does. Behind a parent nobody knows where:
 * the address of the record is the parent's. */
static void decide(const struct forward_part *part, const struct access_record *r,
                   const struct host *name, struct policy_question *q, struct policy_decision *d)
{
    q->host = name;
    if (name->literal) {
        q->destination = NULL;
        policy_decide(part->policy, q, d);
        if (d->action == POLICY_DENY)
            return;
    }
    q->destination = r->parent ? NULL : &r->server;
    policy_decide(part->policy, q, d);
    if (unlikely(part->parents) && !r->parent && d->rule &&
        part->parents[policy_rule_number(part->policy, d->rule)])
        d->action = POLICY_DENY;
}

/* Nobody had to say who he is, for the target's sake (`except-to`): is that so for the name? */
static bool asks_who(const struct listener *l, const struct policy_question *q,
                     const struct host *name)
{
    return q->user.p == NULL && forward_auth_asks(l, &q->client, name);
}

/* What allows the name decides nothing that was not decided before, and is not counted. */
static enum inspection note(struct worker *w, const struct forward_part *part,
                            const struct policy_question *q, const struct policy_decision *d,
                            struct inspected *out)
{
    if (d->exhausted)
        stat_add(w->stats, STAT_patterns_exhausted_total, 1);
    if (d->shadow) {
        rule_count_shadowed(part, d->shadow, w->id);
        out->ruling.shadow = policy_rule_name(d->shadow);
    }
    if (d->action != POLICY_DENY)
        return INSPECT_PASS;
    if (d->rule)
        rule_count_decided(part, d->rule, w->id);
    struct text t = text_in(out->rule_area, sizeof out->rule_area);
    forward_write_evidence(&t, part->policy, q, d);
    out->ruling.rule = text_slice(&t);
    out->ruling.reason = d->reason;
    return refuse(out, FAULT_sni_denied);
}

static enum inspection judge(struct worker *w, const struct listener *l,
                             const struct access_record *r, struct host *name,
                             struct inspected *out)
{
    const struct forward_part *part = forward_part_of(l);
    struct target_uri uri;
    struct policy_question q;
    struct policy_decision d;
    enum fault f = forward_ask_record(w, r, &uri, &q);
    if (f != FAULT_NONE)
        return refuse(out, f);
    forward_search(w, name);
    out->named = same_host(name, &uri.host);
    if (likely(out->named))
        return INSPECT_PASS;
    struct text t = text_in(out->name_area, sizeof out->name_area);
    host_write(&t, name, 0);
    out->name = text_slice(&t);
    if (asks_who(l, &q, name))
        return refuse(out, FAULT_auth_required);
    decide(part, r, name, &q, &d);
    return note(w, part, &q, &d, out);
}

enum inspection forward_inspect(struct worker *w, const struct listener *l,
                                const struct access_record *r, struct slice first,
                                struct inspected *out)
{
    enum policy_sni how = policy_sni(forward_part_of(l)->policy);
    struct host name;
    if (how == SNI_IGNORE)
        return INSPECT_PASS;
    switch (client_hello_read(first, &name)) {
    case HELLO_MORE: return INSPECT_MORE;
    case HELLO_NAME: return judge(w, l, r, &name, out);
    case HELLO_BROKEN: return refuse(out, FAULT_client_hello_malformed);
    case HELLO_NOT_TLS:
    case HELLO_NO_NAME: break;
    }
    if (how != SNI_REQUIRE)
        return INSPECT_PASS;
    out->ruling.rule = SLICE("sni");
    return refuse(out, FAULT_sni_missing);
}

struct ruling forward_sni_recheck(const struct listener *l, const struct access_record *r,
                                  struct policy_question *q)
{
    const struct forward_part *part = forward_part_of(l);
    struct slice text = access_record_string(r, STRING_HOST);
    struct policy_decision d;
    struct host name;
    enum policy_sni how = policy_sni(part->policy);
    if (how == SNI_REQUIRE && r->inspected && !r->named && text.n == 0)
        return (struct ruling){ .fault = FAULT_sni_missing, .rule = SLICE("sni") };
    if (!q->connect || text.n == 0 || how == SNI_IGNORE)
        return (struct ruling){ .fault = FAULT_NONE };
    if (host_parse(text, &name) != FAULT_NONE)
        return (struct ruling){ .fault = FAULT_sni_denied };
    if (asks_who(l, q, &name))
        return (struct ruling){ .fault = FAULT_auth_required };
    decide(part, r, &name, q, &d);
    return (struct ruling){ d.action == POLICY_DENY ? FAULT_sni_denied : FAULT_NONE, d.rule_name,
                            d.reason, SLICE("") };
}
