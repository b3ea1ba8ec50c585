/*
 * The hard thing is that a rule with a path is tried in two forms, and that the text of the form
 * that did not hold explains nothing: each form has a text of its own, and the first one whose
 * conditions all held is taken.
 */
#include "policy/evidence.h"

#include "http/msg.h"
#include "policy/observer.h"
#include "policy/patterns.h"
#include "policy/rule.h"
#include "policy/users.h"

struct gathering {
    struct observer observer; /* first: it is the observer */
    const struct policy_rule *rule;
    u32 held[FORMS];
    struct text text[FORMS];
    char area[FORMS][EVIDENCE_MATCHED];
};

/* What does not fit is cut, and the end says so. Of a peer's bytes only printable ASCII is
 * shown. */
static void put(struct text *t, struct slice s)
{
    static const char more[] = "…";
    for (size_t i = 0; i < s.n && !t->full; i++) {
        if (t->cap - t->n < sizeof more) {
            text_cstr(t, more);
            t->full = true;
            return;
        }
        text_char(t, s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
    }
}

/* Up to the query, of which only its being there is told. */
static void put_url(struct text *t, struct slice url, struct slice part)
{
    const char *query = slice_find(url, '?');
    const char *end = part.p + part.n;
    bool inside = part.n && part.p >= url.p && end <= url.p + url.n;
    if (!inside || query == NULL || end <= query) {
        put(t, part);
        return;
    }
    if (part.p < query)
        put(t, slice_range(part.p, query));
    put(t, SLICE("?"));
    text_cstr(t, "…");
}

static void put_found(struct text *t, const struct patterns *p, struct slice url)
{
    struct slice part;
    for (u32 i = 0; i < p->n; i++)
        if (pattern_where(p->pattern[i], url, &part) == MATCH_YES) {
            put_url(t, url, part);
            return;
        }
    put(t, SLICE("a pattern came to its limits"));
}

static void put_to(struct text *t, struct evaluation *e)
{
    struct slice name = { e->q->host->name, e->q->host->len };
    bool found = e->listed.list.n && e->matched.n;
    if (!found || e->matched.p[0] == '/') /* of an entry that is host and path */
        put(t, name);
    if (found && e->urls_known && !e->urls_unsafe)
        put_url(t, e->url[e->form], e->matched);
    else if (found)
        put(t, e->matched);
    if (e->address == NULL || e->q->host->literal || !e->address_used)
        return;
    char area[ADDR_TEXT];
    struct text address = text_in(area, sizeof area);
    addr_text(&address, e->address);
    put(t, SLICE(" at "));
    put(t, text_slice(&address));
}

static void put_number(struct text *t, u64 n)
{
    char area[24];
    struct text number = text_in(area, sizeof area);
    text_u64(&number, n);
    put(t, text_slice(&number));
}

static void put_address(struct text *t, const struct addr *a)
{
    char area[ADDR_TEXT];
    struct text address = text_in(area, sizeof area);
    addr_text(&address, a);
    put(t, text_slice(&address));
}

/* Values of fields, cookies and parameters may be secrets: their names have to do. */
static void put_value(struct text *t, const struct policy_rule *r, u32 i, struct evaluation *e)
{
    const struct policy_question *q = e->q;
    switch ((enum condition_id)(r->condition[i].kind - condition_kinds)) {
    case CONDITION_to: put_to(t, e); break;
    case CONDITION_port: put_number(t, q->port); break;
    case CONDITION_method: put(t, q->method_text); break;
    case CONDITION_name: put(t, slice_of(name_state_words[q->name])); break;
    case CONDITION_from: put_address(t, &q->client); break;
    case CONDITION_user: put(t, identity_name(q->user)); break;
    case CONDITION_path:
        put(t, e->paths_unsafe ? SLICE("too long to be judged") : e->path[e->form]);
        break;
    case CONDITION_url:
        if (e->urls_unsafe)
            put(t, SLICE("too long to be judged"));
        else
            put_found(t, r->condition[i].data, e->url[e->form]);
        break;
    case CONDITION_status: put_number(t, q->answer->status); break;
    case CONDITION_length: put_number(t, q->answer->body_len); break;
    case CONDITION_type: put(t, msg_get(q->answer, TOKEN_CONTENT_TYPE)); break;
    default: { /* header, cookie, query, time: as written, up to the first value */
        struct slice rest = r->written[i].first, name;
        const char *end = slice_find(rest, '=');
        name = end ? slice_range(rest.p, end) : rest;
        put(t, name);
    }
    }
}

static void on_begin(struct observer *o)
{
    struct gathering *g = (struct gathering *)o;
    for (unsigned f = 0; f < FORMS; f++) {
        g->text[f] = text_in(g->area[f], sizeof g->area[f]);
        g->held[f] = 0;
    }
}

static void on_condition(struct observer *o, const struct policy_rule *r, u32 i, enum match m,
                         struct evaluation *e)
{
    struct gathering *g = (struct gathering *)o;
    if (r != g->rule)
        return;
    struct text *t = &g->text[e->form];
    g->held[e->form] += m == MATCH_YES || (m == MATCH_UNSAFE && !r->allow);
    if (i > 0)
        put(t, SLICE(", "));
    if (r->condition[i].negated)
        put(t, SLICE("not "));
    put(t, slice_of(r->condition[i].kind->name));
    put(t, SLICE(" "));
    if (r->condition[i].negated)
        put(t, r->written[i].first);
    else if (m == MATCH_YES || m == MATCH_UNSAFE)
        put_value(t, r, i, e);
}

static void on_rule(struct observer *o, const struct policy_rule *r, enum match m,
                    struct evaluation *e)
{
    (void)o;
    (void)r;
    (void)m;
    (void)e;
}

void policy_evidence_matched(struct text *t, const struct policy *p,
                             const struct policy_question *q, const struct policy_decision *d)
{
    struct gathering g = { .observer = { on_begin, on_condition, on_rule }, .rule = d->rule };
    struct policy_decision again;
    if (d->fault == FAULT_connect_port_denied || d->fault == FAULT_http_port_denied) {
        put(t, SLICE("port "));
        put_number(t, q->port);
    }
    if (d->rule == NULL)
        return;
    on_begin(&g.observer);
    policy_decide_watched(p, q, &again, &g.observer);
    if (again.rule != d->rule)
        return; /* a list was exchanged, or an hour has struck */
    bool normal = g.held[FORM_NORMAL] == d->rule->conditions;
    text_add(t, text_slice(&g.text[normal ? FORM_NORMAL : FORM_FOLDED]));
}

void policy_evidence_place(struct text *t, const struct policy *p, const struct policy_decision *d)
{
    struct position at = d->rule                             ? d->rule->at
                         : slice_is(d->rule_name, "default") ? p->default_at
                                                             : p->at;
    if (at.file == NULL)
        return;
    text_cstr(t, at.file);
    text_char(t, ':');
    text_u64(t, at.line);
}
