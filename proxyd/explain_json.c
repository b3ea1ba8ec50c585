#include "explain_json.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/str.h"
#include "policy/cache_rule.h"

json_t *json_of(struct slice s)
{
    if (s.n == 0)
        return json_null();
    json_t *text = json_stringn(s.p, s.n);
    if (text)
        return text;
    struct text t = text_in(must_zalloc(4 * s.n), 4 * s.n);
    text_escaped(&t, s);
    text = json_stringn(t.p, t.n);
    free(t.p);
    return text;
}

static void put(json_t *o, const char *name, json_t *value)
{
    must(json_object_set_new(o, name, value) == 0);
}

static void put_text(json_t *o, const char *name, struct slice s)
{
    put(o, name, json_of(s));
}

static void put_position(json_t *o, struct position at)
{
    put_text(o, "file", slice_of(at.file));
    put(o, "line", at.file ? json_integer(at.line) : json_null());
    put(o, "column", at.file ? json_integer(at.column) : json_null());
}

static void put_listed(json_t *o, const struct policy_listed *l)
{
    if (l->list.n == 0)
        return;
    put_text(o, "list", l->list);
    put_text(o, "category", l->category);
    put(o, "entry", json_pack("{s:o, s:I}", "file", json_of(l->file), "line", (json_int_t)l->line));
}

/* ---- rules ---- */

static json_t *condition_json(const struct explained_condition *c)
{
    static const char *const says[] = { [MATCH_NO] = "no",
                                        [MATCH_YES] = "yes",
                                        [MATCH_UNKNOWN] = "unknown",
                                        [MATCH_PENDING] = "waits",
                                        [MATCH_UNSAFE] = "unsafe" };
    json_t *o = json_object();
    put_text(o, "text", c->text);
    put_position(o, c->at);
    put(o, "says", json_string(c->asked ? says[c->says] : "not asked"));
    put_text(o, "value", c->value);
    put_listed(o, &c->listed);
    return o;
}

static json_t *rule_json(const struct explained_rule *r)
{
    static const char *const is[] = { [EXPLAINED_PASSED_OVER] = "passed over",
                                      [EXPLAINED_NO] = "no",
                                      [EXPLAINED_MATCHES] = "yes",
                                      [EXPLAINED_WAITS] = "waits" };
    json_t *o = json_object(), *conditions = json_array();
    put(o, "action", json_string(r->action));
    put_text(o, "rule", policy_rule_name(r->rule));
    put_position(o, r->at);
    put(o, "shadow", json_boolean(r->shadow));
    put(o, "matches", json_string(is[r->is]));
    put_text(o, "why", slice_of(r->passed_over));
    put(o, "form", r->other_form ? json_string("decoded") : json_null());
    for (u32 i = 0; i < r->n; i++)
        json_array_append_new(conditions, condition_json(&r->condition[i]));
    put(o, "conditions", conditions);
    return o;
}

static json_t *rules_json(const struct explained *walk)
{
    json_t *all = json_array();
    for (u32 i = 0; i < walk->n; i++)
        json_array_append_new(all, rule_json(&walk->rule[i]));
    return all;
}

/* Only with a rule that has something to say about it. */
static void put_cache(json_t *o, const struct policy_rule *r)
{
    char area[2 * CACHE_RULE_TEXT];
    struct text t = text_in(area, sizeof area);
    const struct cache_rule *c = r ? policy_rule_cache(r) : NULL;
    if (c == NULL)
        return;
    cache_rule_text(&t, c);
    put_text(o, "cache", text_slice(&t));
}

static json_t *decision_json(const struct policy *p, const struct policy_decision *d)
{
    static const char *const actions[] = {
        [POLICY_ALLOW] = "allow", [POLICY_DENY] = "deny", [POLICY_NEEDS_ADDRESS] = "address"
    };
    json_t *o = json_object();
    bool by_default = d->rule == NULL && slice_is(d->rule_name, "default");
    put(o, "action", json_string(actions[d->action]));
    put_text(o, "rule", d->rule_name);
    put_position(o, d->rule || by_default ? policy_rule_position(p, d->rule)
                                          : (struct position){ NULL, 0, 0 });
    put_text(o, "cause", slice_of(d->fault ? fault_info(d->fault)->token : ""));
    put_text(o, "reason", d->reason);
    put_text(o, "shadow", d->shadow ? policy_rule_name(d->shadow) : SLICE(""));
    put_listed(o, &d->listed);
    put_cache(o, d->rule);
    return o;
}

/* ---- addresses ---- */

static json_t *address_json(const struct forecast *f, const struct forecast_address *one)
{
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    json_t *o = json_object();
    addr_text(&t, &one->addr);
    put_text(o, "address", text_slice(&t));
    put(o, "class", json_string(addr_class_name(one->class)));
    put(o, "allowed", json_boolean(one->fault == FAULT_NONE));
    put_text(o, "cause", slice_of(one->fault ? fault_info(one->fault)->token : ""));
    put(o, "dialled", json_boolean(one == f->dialled));
    put(o, "decision",
        one->fault == FAULT_own_listener ? json_null() : decision_json(f->policy, &one->decision));
    put(o, "rules", one->asked_again ? rules_json(&one->walk) : json_null());
    return o;
}

static json_t *addresses_json(const struct forecast *f)
{
    json_t *all = json_array();
    for (u32 i = 0; i < f->naddresses; i++)
        json_array_append_new(all, address_json(f, &f->address[i]));
    return all;
}

/* ---- the answer ---- */

static json_t *answer_json(const struct forecast *f, struct arena *a)
{
    json_t *o = json_object();
    struct forecast_answer answer = { 0 };
    const struct fault_info *fault = fault_info(f->fault);
    bool refused = f->fault != FAULT_NONE;
    if (refused)
        forecast_answer(f, a, &answer);
    put(o, "verdict",
        json_string(answer.location.n       ? "redirect"
                    : refused               ? "deny"
                    : f->by == FORECAST_OWN ? "own"
                                            : "allow"));
    put(o, "status", refused ? json_integer(answer.status) : json_null());
    put_text(o, "cause", slice_of(refused ? fault->token : ""));
    put_text(o, "text", slice_of(refused ? fault->text : ""));
    put_text(o, "rule", f->last->rule_name);
    put_text(o, "reason", f->last->reason);
    put_text(o, "via", refused ? SLICE("") : forecast_via(f));
    put_text(o, "location", answer.location);
    put_text(o, "type", answer.type);
    put_text(o, "page", answer.page);
    return o;
}

/* ---- the request ---- */

static void put_time(json_t *o, const struct policy *p, u64 seconds)
{
    char utc[40], local[40];
    time_t s = (time_t)seconds, l = (time_t)policy_local(p, seconds);
    struct tm t;
    strftime(utc, sizeof utc, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &t));
    strftime(local, sizeof local, "%Y-%m-%d %H:%M:%S %a", gmtime_r(&l, &t));
    put(o, "time", json_string(utc));
    put(o, "local_time", json_string(local));
}

/* The name that was asked about, and the groups that its policy's files give it. */
static void put_identity(json_t *o, const struct forecast *f, struct slice name)
{
    struct slice rest = f->user, one;
    json_t *groups = json_array();
    (void)slice_cut(&rest, 0, &one);
    while (slice_cut(&rest, 0, &one))
        json_array_append_new(groups, json_of(one));
    put_text(o, "user", name);
    put(o, "groups", groups);
}

static json_t *request_json(const struct forecast *f, const struct forecast_request *about)
{
    char area[ADDR_TEXT];
    struct text client = text_in(area, sizeof area);
    json_t *o = json_object();
    addr_text(&client, &about->from);
    put_text(o, "method", about->method);
    put_text(o, "target", about->target);
    put_text(o, "client", text_slice(&client));
    put_identity(o, f, about->user);
    put_time(o, f->policy, about->at_s ? about->at_s : clock_us(CLOCK_REALTIME) / 1000000);
    put_text(o, "listener", f->listener->name);
    put_text(o, "policy", policy_name(f->policy));
    put_text(o, "host",
             f->parsed ? (struct slice){ f->uri.host.name, f->uri.host.len } : SLICE(""));
    put(o, "port", f->parsed && f->uri.port ? json_integer(f->uri.port) : json_null());
    return o;
}

/* Those that are asked when the answer comes. */
static json_t *later_json(const struct policy *p)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < policy_rules(p); i++)
        if (policy_rule_judges(policy_rule_at(p, i)))
            json_array_append_new(all, json_of(policy_rule_name(policy_rule_at(p, i))));
    return all;
}

json_t *explain_json(const struct forecast *f, const struct forecast_request *about,
                     struct arena *a)
{
    static const char *const by[] = { [FORECAST_HEAD] = "head",
                                      [FORECAST_CLIENTS] = "clients",
                                      [FORECAST_OWN] = "own",
                                      [FORECAST_AUTH] = "auth",
                                      [FORECAST_RULES] = "rules",
                                      [FORECAST_LOOKUP] = "look-up",
                                      [FORECAST_ADDRESSES] = "addresses",
                                      [FORECAST_NAME] = "sni",
                                      [FORECAST_ANSWER] = "response" };
    bool ruled = f->by >= FORECAST_RULES;
    json_t *o = json_object();
    put(o, "request", request_json(f, about));
    put(o, "decided_by", json_string(by[f->by]));
    put(o, "rules", ruled ? rules_json(&f->walk) : json_null());
    put(o, "decision", ruled ? decision_json(f->policy, &f->decision) : json_null());
    put(o, "looked_up", json_boolean(f->looked_up));
    put_text(o, "lookup_cause", slice_of(f->lookup ? fault_info(f->lookup)->token : ""));
    put(o, "addresses", addresses_json(f));
    put(o, "further",
        f->by > FORECAST_ADDRESSES ? decision_json(f->policy, &f->further) : json_null());
    put(o, "answer_rules",
        f->fault == FAULT_NONE && ruled && about->response.n == 0 ? later_json(f->policy)
                                                                  : json_array());
    put(o, "answer", answer_json(f, a));
    return o;
}
