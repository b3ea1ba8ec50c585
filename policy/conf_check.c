/*
 * What is well formed and still not what was meant. The one hard check is whether a deny by path
 * leaves CONNECT to the same host open: it asks the compiled policy itself, with a sample request
 * per host of the rule, so that it knows about every other rule, port list and default.
 */
#include "policy/conf.h"

#include "base/str.h"
#include "config/value.h"
#include "policy/auth.h"
#include "policy/lint.h"
#include "policy/rule.h"

/* ---- rules that can never decide ---- */

/* Does the condition hold for every request, whatever it shows? */
static bool always_holds(const struct node *c)
{
    if (c->row->tag == 0) /* no condition */
        return true;
    if (c->negated)
        return false;
    for (u32 i = 0; i < node_nargs(c); i++)
        if (slice_is(node_key(c), "to") && node_arg(c, i)->kind != WORD_REGEX &&
            slice_is(node_arg(c, i)->text, "*"))
            return true;
    return false;
}

/* None that is in shadow ever decides. */
static bool matches_all(const struct node *rule)
{
    if (node_child(rule, "mode"))
        return false;
    for (const struct node *c = rule->children; c; c = c->next)
        if (!always_holds(c))
            return false;
    return true;
}

static bool on_answer(const struct node *rule)
{
    return node_child(rule, "status") || node_child(rule, "length") || node_child(rule, "type");
}

/* True: told. */
static bool check_unreachable(const struct node *rules, struct diags *d)
{
    const struct node *all = NULL;
    for (const struct node *r = rules->children; r; r = r->next) {
        if (all && !on_answer(r)) {
            diag_warning(d, &r->words[1], "the rule %s can never decide", word_shown(&r->words[1]));
            diag_more(d, "every request matches %s at %s already", slice_shown(node_name(all)),
                      position_shown(node_at(all)));
            return true;
        }
        if (matches_all(r))
            all = r;
    }
    return false;
}

/* ---- conditions of one rule that nothing meets ---- */

static const struct node *skip_negated(const struct node *c)
{
    while (c && c->negated)
        c = node_again(c);
    return c;
}

/* The first condition `key` without `not`, and the next one. */
static const struct node *positive(const struct node *rule, const char *key)
{
    return skip_negated(node_child(rule, key));
}

static const struct node *positive_again(const struct node *c)
{
    return skip_negated(node_again(c));
}

/* The classes of what the i-th value of a `to` covers; `class X` is two words. A name may lead to
 * any address. */
static u8 classes_of_value(const struct node *to, u32 *i)
{
    struct slice word = node_arg(to, *i)->text;
    enum addr_class class;
    struct cidr net;
    bool host_bits;
    if (node_arg(to, *i)->kind == WORD_REGEX)
        return CLASS_BIT(CLASS_PUBLIC);
    if (word_is_bare(node_arg(to, *i), "list") || word_is_bare(node_arg(to, *i), "category")) {
        ++*i;
        return CLASS_BIT(CLASS_PUBLIC);
    }
    if (slice_is(word, "class") && addr_class_find(node_arg(to, ++*i)->text, &class))
        return CLASS_BIT(class);
    return cidr_parse(word, &net, &host_bits) ? addr_classes_in(&net) : CLASS_BIT(CLASS_PUBLIC);
}

static void tell_closed(const struct node *to, const struct node *rule, u8 classes, struct diags *d)
{
    char area[128];
    struct text names = text_in(area, sizeof area - 1);
    if (classes != CLASS_BIT(CLASS_METADATA)) /* never proposed where it is not all that is meant */
        classes &= (u8)~CLASS_BIT(CLASS_METADATA);
    for (enum addr_class c = 0; c < CLASS_COUNT; c++) {
        if (!(classes & CLASS_BIT(c)))
            continue;
        text_cstr(&names, names.n ? " " : "");
        text_cstr(&names, addr_class_name(c));
    }
    area[names.n] = 0;
    diag_warning(d, &to->words[0], "the rule %s can never allow anything",
                 slice_shown(node_name(rule)));
    diag_more(d, "an allow opens public addresses only; add \"reach %s\"", area);
}

/* An allow whose destinations are all closed by their class. Any address may be one of this
 * machine's own, so `reach loopback` may open it. */
static void check_closed(const struct node *rule, u8 reach, struct diags *d)
{
    u8 opened = reach | CLASS_BIT(CLASS_PUBLIC);
    if (reach & CLASS_BIT(CLASS_LOOPBACK))
        return;
    for (const struct node *to = positive(rule, "to"); to; to = positive_again(to)) {
        u8 classes = 0;
        for (u32 i = 0; i < node_nargs(to); i++)
            classes |= classes_of_value(to, &i);
        if (classes & opened)
            continue;
        tell_closed(to, rule, classes, d);
        return;
    }
}

/* What comes too late when the answer is there. */
static void check_answer_rule(const struct node *rule, struct diags *d)
{
    static const char *const late[] = { "reach", "request", "prefer", "via", "cache" };
    for (size_t i = 0; i < countof(late); i++) {
        const struct node *n = node_child(rule, late[i]);
        if (n == NULL)
            continue;
        diag_warning(d, &n->words[0], "\"%s\" of the rule %s has no effect", late[i],
                     slice_shown(node_name(rule)));
        diag_more(d, "it looks at the answer, and the request has been sent by then");
    }
}

/* Is it addresses alone, none of which may ask at all? A group's users may come from anywhere. */
static bool none_may_ask(const struct node *from, const struct cidrset *clients)
{
    for (u32 i = 0; i < node_nargs(from); i++) {
        struct cidr net;
        bool host_bits, is_net = cidr_parse(node_arg(from, i)->text, &net, &host_bits);
        if (!is_net || cidrset_meets(clients, &net))
            return false;
    }
    return true;
}

/* A `from` of addresses that are refused before any rule is asked. True: told. */
static bool check_from(const struct node *rule, const struct cidrset *clients, struct diags *d)
{
    for (const struct node *from = positive(rule, "from"); from; from = positive_again(from)) {
        if (!none_may_ask(from, clients))
            continue;
        diag_warning(d, &from->words[0], "the rule %s can never match",
                     slice_shown(node_name(rule)));
        diag_more(d, "none of these addresses is one of \"clients\", and others are refused before "
                     "any rule");
        return true;
    }
    return false;
}

/* A path together with nothing but CONNECT. True: reported. */
static bool check_path_of_tunnels(const struct node *rule, struct diags *d)
{
    const struct node *path = node_child(rule, "path");
    for (const struct node *m = positive(rule, "method"); path && m; m = positive_again(m)) {
        u32 connects = 0;
        for (u32 i = 0; i < node_nargs(m); i++)
            connects += slice_is(node_arg(m, i)->text, "CONNECT");
        if (connects < node_nargs(m))
            continue;
        diag_warning(d, &path->words[0], "the rule %s can never match",
                     slice_shown(node_name(rule)));
        diag_more(d, "the path inside a tunnel is not seen, and its only method is CONNECT");
        return true;
    }
    return false;
}

/* ---- a deny by address, and the parent that looks names up ---- */

static bool has_address(const struct node *to)
{
    struct cidr net;
    bool host_bits;
    for (u32 i = 0; to && i < node_nargs(to); i++) {
        const struct word *w = node_arg(to, i);
        if (w->kind == WORD_REGEX)
            continue;
        if (slice_is(w->text, "class"))
            return true;
        if (word_is_bare(w, "list") || word_is_bare(w, "category"))
            i++;
        else if (cidr_parse(w->text, &net, &host_bits))
            return true;
    }
    return false;
}

static void check_unseen(const struct node *rule, struct diags *d)
{
    const struct node *to = positive(rule, "to"), *via = NULL;
    while (to && !has_address(to))
        to = positive_again(to);
    for (const struct node *r = to ? rule->next : NULL; r && !via; r = r->next)
        via = node_child(r, "via");
    if (via == NULL)
        return;
    diag_warning(d, &to->words[0], "the rule %s does not see where names lead that go through %s",
                 slice_shown(node_name(rule)), word_shown(node_arg(via, 0)));
    diag_more(d, "the parent of the rule %s at %s looks them up; name their hosts here",
              slice_shown(node_name(via->parent)), position_shown(node_at(via)));
}

/* A rule about users where nobody has to be one. True: told. */
static bool check_users(const struct node *rule, const struct policy *p, struct diags *d)
{
    const struct node *n = positive(rule, "user");
    for (const struct node *from = positive(rule, "from"); n == NULL && from;
         from = positive_again(from)) {
        bool groups = true;
        for (u32 i = 0; i < node_nargs(from); i += 2)
            groups = groups && slice_is(node_arg(from, i)->text, "group");
        n = groups ? from : NULL;
    }
    if (n == NULL || p->auth.offers)
        return false;
    diag_warning(d, &n->words[0], "the rule %s can never match", slice_shown(node_name(rule)));
    diag_more(d, "nobody has to say who he is: the policy has no block \"auth\"");
    return true;
}

/* ---- a deny by path, and the tunnel beside it ---- */

static struct addr sample_client(const struct node *rule)
{
    const struct node *n = positive(rule, "from");
    if (n == NULL)
        n = node_child(rule->parent->parent, "clients");
    struct cidr c = { 0 };
    bool host_bits;
    if (n == NULL || !cidr_parse(node_arg(n, 0)->text, &c, &host_bits))
        addr_parse(SLICE("127.0.0.1"), &c.base);
    return c.base;
}

static u16 sample_port(const struct node *rule)
{
    const struct node *n = positive(rule, "port");
    if (n == NULL)
        n = node_child(rule->parent->parent, "connect-ports");
    u16 first = 443, last;
    if (n)
        value_ports(node_arg(n, 0)->text, &first, &last);
    return first;
}

/* A host that the word of a `to` covers. */
static void sample_host(struct slice word, struct host *out)
{
    struct cidr c;
    bool host_bits;
    struct text t = text_in(out->name, sizeof out->name - 1);
    if (slice_ends(word, SLICE(".")))
        word.n--;
    *out = (struct host){ .literal = cidr_parse(word, &c, &host_bits) };
    if (out->literal) {
        out->addr = c.base;
        addr_text(&t, &out->addr);
    } else {
        if (slice_starts(word, SLICE("*")))
            text_lit(&t, "any");
        for (size_t i = slice_starts(word, SLICE("*")) || slice_starts(word, SLICE("."));
             i < word.n; i++)
            text_char(&t, ascii_lower(word.p[i]));
    }
    out->len = (u8)t.n;
}

static bool connect_is_open(const struct policy *p, const struct node *rule, struct slice host)
{
    struct host sample;
    sample_host(host, &sample);
    struct policy_question q = { .client = sample_client(rule),
                                 .connect = true,
                                 .method = METHOD_CONNECT,
                                 .host = &sample,
                                 .port = sample_port(rule) };
    struct policy_decision decision;
    policy_decide(p, &q, &decision);
    return decision.action != POLICY_DENY;
}

static void check_tunnel(const struct policy *p, const struct node *rule, struct diags *d)
{
    const struct node *path = node_child(rule, "path"), *to = positive(rule, "to");
    if (path == NULL)
        return;
    u32 n = to ? node_nargs(to) : 1;
    for (u32 i = 0; i < n; i++) {
        struct slice host = to ? node_arg(to, i)->text : SLICE("*");
        if (to && node_arg(to, i)->kind == WORD_REGEX) {
            host = SLICE("*");
        } else if (to && (slice_is(host, "class") || word_is_bare(node_arg(to, i), "list") ||
                          word_is_bare(node_arg(to, i), "category"))) {
            i++;
            host = SLICE("*");
        }
        if (!connect_is_open(p, rule, host))
            continue;
        diag_warning(d, &path->words[0], "the rule %s leaves CONNECT to %s open",
                     slice_shown(node_name(rule)),
                     slice_is(host, "*") ? "any host" : slice_shown(host));
        diag_more(d, "the path inside a tunnel is not seen; a rule with \"method CONNECT\" can "
                     "refuse the tunnel");
        return;
    }
}

void policy_conf_check(const struct node *policy, struct diags *d)
{
    const struct node *rules = node_child(policy, "rules");
    const struct node *auth = node_child(policy, "auth basic");
    if (auth && !policy->reported && !auth->reported)
        auth_check(auth, d);
    policy_error_page_check(policy, d);
    if (rules == NULL || policy->reported)
        return;
    if (!check_unreachable(rules, d))
        lint_covered(rules, d);
    struct arena a;
    arena_init(&a, 0);
    const struct policy *p = policy_compile(policy, &a);
    u32 i = 0, budget = PATTERNS_MEASURED;
    for (const struct node *r = rules->children; r; r = r->next, i++) {
        bool allow = slice_is(node_key(r), "allow"), told = check_path_of_tunnels(r, d);
        if (!check_users(r, p, d) && !check_from(r, &p->clients, d))
            lint_exclusive(r, d);
        lint_ports(r, p, d);
        lint_patterns(r, &budget, d);
        if (p->rule[i].on_answer)
            check_answer_rule(r, d);
        else if (allow)
            check_closed(r, p->rule[i].reach, d);
        else if (!told)
            check_tunnel(p, r, d);
        if (!allow)
            check_unseen(r, d);
    }
    arena_free(&a);
}
