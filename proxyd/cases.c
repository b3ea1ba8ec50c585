#include "cases.h"

#include <stdlib.h>

#include "base/must.h"
#include "config/schema.h"
#include "config/shown.h"
#include "forecast.h"
#include "forward/conf.h"
#include "moment.h"
#include "offline.h"
#include "pac/engine.h"
#include "pac_offline.h"

/* Which rules of a policy have matched. */
struct reach {
    struct reach *next;
    const struct policy *policy; /* of one of the listeners that ask it */
    bool *rule;
};

struct running {
    struct offline off;
    struct arena arena; /* for all cases */
    struct reach *reach;
    struct diags *d;
};

static struct slice value(const struct node *n, const char *key)
{
    const struct node *c = node_child(n, key);
    return c ? node_arg(c, 0)->text : SLICE("");
}

/* ---- the question ---- */

static struct slice fields_of(const struct node *n, struct arena *a)
{
    size_t most = 0;
    for (const struct node *h = node_child(n, "header"); h; h = node_again(h))
        most += node_arg(h, 0)->text.n + 2;
    struct text t = text_in(arena_alloc(a, most + 1), most + 1);
    for (const struct node *h = node_child(n, "header"); h; h = node_again(h)) {
        text_add(&t, node_arg(h, 0)->text);
        text_lit(&t, "\r\n");
    }
    return text_slice(&t);
}

static void read_addresses(const struct node *n, struct arena *a, struct forecast_request *r)
{
    const struct node *said = node_child(n, "address");
    if (said == NULL)
        return;
    struct addr *list = arena_alloc(a, node_nargs(said) * sizeof *list);
    for (u32 i = 0; i < node_nargs(said); i++)
        must(addr_parse(node_arg(said, i)->text, &list[r->ngiven++]));
    r->given = list;
}

/* The head of the answer; empty: nothing is said of it. */
static struct slice response_of(const struct node *n, struct arena *a)
{
    const struct node *said = node_child(n, "response");
    size_t most = 64;
    if (said == NULL)
        return SLICE("");
    for (u32 i = 1; i < node_nargs(said); i++)
        most += node_arg(said, i)->text.n + 2;
    struct text t = text_in(arena_alloc(a, most), most);
    text_lit(&t, "HTTP/1.1 ");
    text_add(&t, node_arg(said, 0)->text);
    text_lit(&t, " said\r\n");
    for (u32 i = 1; i < node_nargs(said); i++) {
        text_add(&t, node_arg(said, i)->text);
        text_lit(&t, "\r\n");
    }
    text_lit(&t, "\r\n");
    must(!t.full);
    return text_slice(&t);
}

static struct forecast_request request_of(const struct node *n, const struct policy *p,
                                          struct arena *a)
{
    const struct node *asked = node_child(n, "request"), *from = node_child(n, "from");
    struct forecast_request r = { .method = node_arg(asked, 0)->text,
                                  .target = node_arg(asked, 1)->text,
                                  .fields = fields_of(n, a),
                                  .fields_shown = true,
                                  .sni = value(n, "sni"),
                                  .response = response_of(n, a),
                                  .explain = true };
    must(addr_parse(from ? node_arg(from, 0)->text : SLICE("127.0.0.1"), &r.from));
    if (node_child(n, "at"))
        must(moment_read(value(n, "at"), p, &r.at_s));
    r.user = node_child(n, "user") ? value(n, "user") : (struct slice){ NULL, 0 };
    read_addresses(n, a, &r);
    return r;
}

/* ---- what was reached ---- */

static struct reach *reach_of(struct running *r, const struct policy *p)
{
    for (struct reach *one = r->reach; one; one = one->next)
        if (slice_eq(policy_name(one->policy), policy_name(p)))
            return one;
    struct reach *one = arena_alloc(&r->arena, sizeof *one);
    *one =
        (struct reach){ r->reach, p, arena_zalloc(&r->arena, policy_rules(p) * sizeof(bool) + 1) };
    r->reach = one;
    return one;
}

/* The rules are in order, so their places are their numbers. */
static void note_walk(struct reach *reach, const struct explained *walk)
{
    for (u32 i = 0; i < walk->n; i++)
        reach->rule[i] |= walk->rule[i].is == EXPLAINED_MATCHES;
}

static void note_rule(struct reach *reach, const struct policy *p, const struct policy_rule *rule)
{
    if (rule)
        reach->rule[policy_rule_number(p, rule)] = true;
}

static void note_reach(struct running *r, const struct forecast *f)
{
    struct reach *reach = reach_of(r, f->policy);
    note_walk(reach, &f->walk);
    for (u32 i = 0; i < f->naddresses; i++)
        note_walk(reach, &f->address[i].walk);
    note_walk(reach, &f->further_walk);
    note_rule(reach, f->policy, f->further.rule);
    note_rule(reach, f->policy, f->further.shadow);
}

static u32 tell_unreached(const struct running *r, FILE *to)
{
    u32 n = 0;
    for (const struct reach *one = r->reach; one; one = one->next)
        for (unsigned i = 0; i < policy_rules(one->policy); i++) {
            const struct policy_rule *rule = policy_rule_at(one->policy, i);
            if (one->rule[i])
                continue;
            n++;
            if (to)
                fprintf(to, "%s: no test reaches the rule %.*s of the policy %.*s\n",
                        position_shown(policy_rule_position(one->policy, rule)),
                        SLICE_FMT(policy_rule_name(rule)), SLICE_FMT(policy_name(one->policy)));
        }
    return n;
}

/* ---- what was expected ---- */

static const char *verdict_of(const struct forecast *f, struct arena *a)
{
    struct forecast_answer answer;
    if (f->fault == FAULT_NONE)
        return "allow";
    forecast_answer(f, a, &answer);
    return answer.location.n ? "redirect" : "deny";
}

/* "is denied by gambling, at FILE:LINE:COLUMN". */
static void tell_instead(const struct forecast *f, const char *verdict, struct diags *d)
{
    static const char *const was[] = { "allowed", "denied", "sent elsewhere" };
    const struct policy_decision *last = f->last;
    bool placed = last->rule || slice_is(last->rule_name, "default");
    const char *how = *verdict == 'a' ? was[0] : *verdict == 'd' ? was[1] : was[2];
    diag_more(d, "it is %s%s%.*s%s%s%s%s", how, last->rule_name.n ? " by " : "",
              SLICE_FMT(last->rule_name), placed ? ", at " : "",
              placed ? position_shown(policy_rule_position(f->policy, last->rule)) : "",
              f->fault ? ": " : "", f->fault ? fault_info(f->fault)->token : "");
    if (last->listed.list.n)
        diag_more(d, "by the list %.*s, %.*s:%u", SLICE_FMT(last->listed.list),
                  SLICE_FMT(last->listed.file), last->listed.line);
}

static struct slice shadow_of(const struct forecast *f)
{
    const struct policy_rule *r = f->last->shadow ? f->last->shadow : f->decision.shadow;
    return r ? policy_rule_name(r) : SLICE("none");
}

/* True: as expected. */
static bool judge(const struct running *r, const struct node *n, const struct forecast *f,
                  struct arena *a)
{
    const struct node *expect = node_child(n, "expect"), *cause = node_child(n, "cause"),
                      *shadow = node_child(n, "shadow");
    const char *verdict = verdict_of(f, a);
    bool other_rule =
        node_nargs(expect) > 1 && !slice_eq(node_arg(expect, 1)->text, f->last->rule_name);
    const struct word *wrong = NULL;
    if (!slice_is(node_arg(expect, 0)->text, verdict))
        wrong = node_arg(expect, 0);
    else if (other_rule)
        wrong = node_arg(expect, 1);
    else if (cause && !slice_is(node_arg(cause, 0)->text, fault_info(f->fault)->token))
        wrong = node_arg(cause, 0);
    else if (shadow && !slice_eq(node_arg(shadow, 0)->text, shadow_of(f)))
        wrong = node_arg(shadow, 0);
    if (wrong == NULL)
        return true;
    diag_error(r->d, wrong, "the test %s fails", slice_shown(node_name(n)));
    if (shadow && wrong == node_arg(shadow, 0))
        diag_more(r->d, "the rule in shadow is %.*s", SLICE_FMT(shadow_of(f)));
    else
        tell_instead(f, verdict, r->d);
    return false;
}

/* Without blanks, which mean nothing there. */
static bool same_answer(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;
    for (;;) {
        while (i < a.n && a.p[i] == ' ')
            i++;
        while (k < b.n && b.p[k] == ' ')
            k++;
        if (i == a.n || k == b.n)
            return i == a.n && k == b.n;
        if (a.p[i++] != b.p[k++])
            return false;
    }
}

static bool judge_script(const struct running *r, const struct node *n, const struct listener *l,
                         const struct forecast_request *request, struct arena *a)
{
    const struct node *expect = node_child(n, "pac");
    if (expect == NULL)
        return true;
    size_t most = request->target.n + sizeof "https:///";
    struct text t = text_in(arena_alloc(a, most), most);
    struct pac_question q;
    struct pac_answer answer;
    struct pac_world world = { .client = request->from, .now_s = request->at_s };
    text_cstr(&t, slice_is(request->method, "CONNECT") ? "https://" : "");
    text_add(&t, request->target);
    if (!pac_url(text_slice(&t), a, &q)) {
        diag_error(r->d, node_arg(expect, 0), "the test %s fails", slice_shown(node_name(n)));
        diag_more(r->d, "its request has no URL that a browser would ask about");
        return false;
    }
    pac_ask(pac_offline_script(l, &request->from, a), &world, &q, 1, a, &answer);
    if (answer.why == PAC_ANSWERED && same_answer(answer.text, node_arg(expect, 0)->text))
        return true;
    diag_error(r->d, node_arg(expect, 0), "the test %s fails", slice_shown(node_name(n)));
    diag_more(r->d, "the script %s %s",
              answer.why == PAC_ANSWERED ? "says" : "fails:", slice_shown(answer.text));
    return false;
}

static bool run_case(struct running *r, const struct node *n)
{
    struct arena a;
    const struct listener *l = forecast_listener(r->off.snapshot, value(n, "listener"));
    must(l != NULL); /* case_check */
    arena_init(&a, 0);
    struct forecast *f = arena_alloc(&a, sizeof *f);
    struct forecast_request request = request_of(n, forward_part_of(l)->policy, &a);
    forecast_make(r->off.snapshot, l, &request, &a, f);
    if (request.user.p && forward_part_of(l)->auth == NULL)
        diag_warning(r->d, node_arg(node_child(n, "user"), 0),
                     "the policy asks nobody who he is: it has no block \"auth\"");
    note_reach(r, f);
    bool passed = judge(r, n, f, &a) && judge_script(r, n, l, &request, &a);
    arena_free(&a);
    return passed;
}

bool cases_any(const struct tree *t)
{
    return node_child(&t->root, "test") != NULL;
}

struct cases cases_run(const struct tree *t, struct diags *d, FILE *unreached)
{
    struct running r = { .d = d };
    struct cases c = { 0 };
    arena_init(&r.arena, 0);
    offline_compile(t, &r.off);
    for (const struct node *n = node_child(&t->root, "test"); n; n = node_again(n)) {
        c.run++;
        c.failed += !run_case(&r, n);
    }
    c.unreached = tell_unreached(&r, unreached);
    offline_close(&r.off);
    arena_free(&r.arena);
    return c;
}
