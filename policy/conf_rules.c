/*
 * The rules of a policy: what may stand in `rules`, and how a rule of the tree becomes one that is
 * asked. The hard thing is that the conditions come in the engine's order, cheapest first, and not
 * in the file's, and that each narrows the gate, so that most rules are passed over without being
 * asked.
 */
#include "policy/conf_rules.h"

#include "base/must.h"
#include "base/str.h"
#include "policy/cache_rule.h"
#include "policy/conf.h"
#include "policy/rule.h"

static void read_reach(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    u8 *reach = to;
    (void)row;
    (void)a;
    for (u32 i = 0; n && i < node_nargs(n); i++) {
        enum addr_class class;
        must(addr_class_find(node_arg(n, i)->text, &class));
        *reach |= CLASS_BIT(class);
    }
}

/* clang-format off */
#define MODE_ROW \
    { .key = "mode", \
      .type = { TYPE_CHOICE }, \
      .choices = "shadow", \
      .offset = offsetof(struct policy_rule, shadow), \
      .read = read_shadow, \
      .doc = "A rule in shadow does not decide: that it would have is logged (`shadow=RULE`) and " \
             "counted, and the rules behind it are asked. Of several the first is noted.", \
      .example = "mode shadow;" }
#define TEXT_ROW \
    { .key = "text", \
      .type = { TYPE_TEXT }, \
      INTO(struct policy_rule, refusal.text), \
      .doc = "Words for whoever is refused, on the page and in the log.", \
      .example = "text \"ask the helpdesk, extension 42\";" }
/* clang-format on */

static void read_shadow(const struct schema_row *row, const struct node *n, struct arena *a,
                        void *to)
{
    bool *shadow = to;
    (void)row;
    (void)a;
    *shadow = n != NULL;
}

static const struct schema_row deny_rows[] = {
#include "policy/condition_rows.tbl"
    MODE_ROW,
    TEXT_ROW,
    { .key = "respond",
      .type = { TYPE_COUNT },
      .least = 400,
      .most = 599,
      INTO(struct policy_rule, refusal.status),
      .doc = "The status of the refusal instead of 403.",
      .example = "respond 451;" },
    { .key = "page",
      .type = { TYPE_PATH },
      .offset = offsetof(struct policy_rule, refusal.page),
      .read = policy_read_page,
      .doc = "A file with the page for whoever accepts HTML, instead of the policy's `error-page`, "
             "which see.",
      .example = "page refused.html;" },
    { .key = NULL },
};

static const struct schema_row redirect_rows[] = {
#include "policy/condition_rows.tbl" /* NOLINT(readability-duplicate-include) */
    MODE_ROW,
    TEXT_ROW,
    { .key = "location",
      .type = { TYPE_TEXT },
      .required = true,
      INTO(struct policy_rule, refusal.location),
      .doc = "Where the client is sent: an absolute URL.",
      .example = "location https://intranet.example/why;",
      .check = policy_location_check },
    { .key = "respond",
      .type = { TYPE_CHOICE },
      .choices = "301 302 303 307 308",
      INTO(struct policy_rule, refusal.moved),
      .fallback = "302",
      .doc = "The status of the answer.",
      .example = "respond 307;" },
    { .key = NULL },
};

static const struct schema_row allow_rows[] = {
#include "policy/condition_rows.tbl" /* NOLINT(readability-duplicate-include) */
    { .key = "reach",
      .type = { TYPE_CHOICE },
      .offset = offsetof(struct policy_rule, reach),
      .read = read_reach,
      .min = 1,
      .max = SCHEMA_MANY,
      .choices = "metadata loopback link-local private multicast reserved",
      .doc = "The classes of addresses this rule opens besides public ones.",
      .example = "reach private;" },
    MODE_ROW,
    { .key = "request",
      .kind = ROW_BLOCK,
      .offset = offsetof(struct policy_rule, request),
      .read = edits_read,
      .children = edit_rows,
      .doc = "What is changed in the fields of the requests that this rule lets through.",
      .example = "request { set X-Site shop; remove X-Debug; }" },
    { .key = "response",
      .kind = ROW_BLOCK,
      .offset = offsetof(struct policy_rule, response),
      .read = edits_read,
      .children = edit_rows,
      .doc = "What is changed in the fields of the answers to them.",
      .example = "response { remove X-Internal-*; set Cache-Control no-store; }" },
    { .key = "cache",
      .kind = ROW_BLOCK,
      .offset = offsetof(struct policy_rule, cache),
      .read = cache_rule_read,
      .check = cache_rule_check,
      .children = cache_rule_rows,
      .doc = "How the listener's cache treats the requests that this rule lets through. "
             "[The cache](cache.md#steering-it) tells more.",
      .example = "cache { override ttl 10m; key without-params utm_*; }" },
    { .key = "via",
      .type = { TYPE_REF },
      .refers = "parent",
      INTO(struct policy_rule, via),
      .doc = "The parent that these requests go through, and no other way: when none of its "
             "proxies can be connected to, the request fails (`parent_unavailable`). The parent "
             "looks names up, so conditions on addresses, of this rule and of all above it, see "
             "only destinations that are addresses; those still need `reach`.",
      .example = "via upstairs;" },
    { .key = "prefer",
      .type = { TYPE_CHOICE },
      .choices = "any v4 v6",
      INTO(struct policy_rule, prefer),
      .fallback = "any",
      .doc = "The family of addresses that is tried first. Without it: IPv6, or the one that was "
             "quicker of late.",
      .example = "prefer v4;" },
    { .key = NULL },
};

/* In the order of conditions.tbl, whatever the order in the file. */
static void read_conditions(const struct node *n, struct policy_rule *r, struct arena *a)
{
    size_t most = 0, made = 0;
    for (const struct node *c = n->children; c; c = c->next)
        most++;
    struct condition *list = arena_alloc(a, most * sizeof *list);
    struct written *written = arena_alloc(a, most * sizeof *written);
    for (unsigned k = 0; k < CONDITION_COUNT; k++)
        for (const struct node *c = n->children; c; c = c->next) {
            const struct condition_kind *kind = &condition_kinds[k];
            if (c->row->tag != CONDITION_TAG(k))
                continue;
            written[made] = statement_written(c, r->at, a);
            struct condition *made_now = &list[made++];
            *made_now = (struct condition){ kind, kind->make(c, a), c->negated };
            r->on_answer |= kind->on_answer;
            if (!c->negated)
                kind->narrow(made_now->data, &r->gate);
        }
    r->condition = list;
    r->written = written;
    r->conditions = (u32)made;
    r->gate.traits &= ~(u32)(r->on_answer ? TRAIT_REQUEST : TRAIT_ANSWER);
}

enum { RULE_DENY, RULE_ALLOW }; /* tags */

static void read_rule(const struct node *n, const struct position *before, struct policy_rule *r,
                      struct arena *a)
{
    *r = (struct policy_rule){ .at = position_kept(node_at(n), before, a),
                               .gate = { ~(u64)0, ~(u32)0, ~(u32)0 },
                               .name = arena_copy(a, node_name(n)),
                               .allow = n->row->tag == RULE_ALLOW };
    schema_fill(n->row->children, n, a, r);
    read_conditions(n, r, a);
    if (r->via.n && !r->on_answer && !r->shadow)
        r->gate.traits &= ~(u32)TRAIT_DIRECT;
}

void policy_read_rules(const struct schema_row *row, const struct node *rules, struct arena *a,
                       void *to)
{
    struct policy *p = to;
    size_t most = 0;
    (void)row;
    for (const struct node *n = rules ? rules->children : NULL; n; n = n->next)
        most++;
    struct policy_rule *list = arena_alloc(a, most * sizeof *list);
    for (const struct node *n = rules ? rules->children : NULL; n; n = n->next) {
        struct policy_rule *r = &list[p->rules++];
        read_rule(n, r > list ? &r[-1].at : &p->at, r, a);
        p->judges |= r->on_answer;
        p->edits |= r->request || r->response;
        p->steers_cache |= r->cache != NULL;
        p->has_parents |= r->via.n && !r->on_answer && !r->shadow;
    }
    p->rule = list;
}

/* The words of `class` and `reach`. */
static void put_classes(FILE *to)
{
    fputs("\nEach address has one class, the first that it fits. A name has the classes of the "
          "addresses it leads\nto. An IPv6 address that carries an IPv4 address has the class of "
          "that "
          "one, or a stricter one.\n\n| class | addresses |\n|---|---|\n",
          to);
    for (enum addr_class c = 0; c < CLASS_COUNT; c++) {
        char area[1024];
        struct text t = text_in(area, sizeof area);
        addr_class_text(&t, c);
        fprintf(to, "| `%s` | %.*s |\n", addr_class_name(c), SLICE_FMT(text_slice(&t)));
    }
}

void policy_put_manual(FILE *to)
{
    put_classes(to);
    policy_put_variables(to);
}

const struct schema_row rules_rows[] = {
    { .key = "allow",
      .kind = ROW_NAMED,
      .tag = RULE_ALLOW,
      .repeat = true,
      .space = "rule",
      .children = allow_rows,
      .doc = "Lets the requests through that meet all conditions; without conditions, every one. "
             "It opens public addresses only, and those that `reach` names.",
      .example = "allow build-tools { to *.packages.example; port 443; from 10.20.0.0/16; }" },
    { .key = "deny",
      .kind = ROW_NAMED,
      .tag = RULE_DENY,
      .repeat = true,
      .space = "rule",
      .children = deny_rows,
      .check = policy_deny_check,
      .doc = "Refuses the requests that meet all conditions; without conditions, every one.",
      .example = "deny uploads { method PUT POST; to *.filehost.example; }" },
    { .key = "redirect",
      .kind = ROW_NAMED,
      .tag = RULE_DENY,
      .repeat = true,
      .space = "rule",
      .children = redirect_rows,
      .doc = "Refuses as `deny` does, by sending the client to another place; inside of it CONNECT "
             "is only refused, because clients follow no redirect there.",
      .example = "redirect moved { to old.example; location https://new.example/; }" },
    { .key = NULL },
};
