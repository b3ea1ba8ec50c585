/*
 * What is well formed and still not what was meant. The one hard check is whether a deny by path
 * leaves CONNECT to the same host open: it asks the compiled policy itself, with a sample request
 * per host of the rule, so that it knows about every other rule, port list and default.
 */
#include "policy/conf.h"

#include "base/str.h"
#include "config/value.h"
#include "filters/addrclass.h"

void policy_to_check(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        if (slice_is(w->text, "class"))
            i++;
        else if (!w->told && w->kind == WORD_BARE && schema_listed("list category pool", w->text)) {
            diag_error(d, w, "%s is not known here", word_shown(w));
            diag_more(d, "expected hosts, addresses, networks or \"class\"; "
                         "a host of this name is written in quotes");
        }
    }
}

void policy_method_check(const struct node *n, struct diags *d)
{
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        for (enum method m = METHOD_GET; !w->told && method_name(m).n; m++) {
            struct slice name = method_name(m);
            if (slice_eq(w->text, name) || !slice_eq_nocase(w->text, name))
                continue;
            diag_error(d, w, "%s is not a method: methods are case-sensitive", word_shown(w));
            diag_more(d, "did you mean \"%.*s\"?", SLICE_FMT(name));
        }
    }
}

void policy_default_check(const struct node *n, struct diags *d)
{
    if (node_nargs(n) > 1 && slice_is(node_arg(n, 0)->text, "allow")) {
        diag_error(d, node_arg(n, 1), "\"default allow\" takes no text");
        diag_more(d, "expected \"default allow;\", or \"default deny TEXT;\"");
    }
}

/* ---- rules that can never decide ---- */

/* Does the condition hold for every request, whatever it shows? */
static bool always_holds(const struct node *c)
{
    if (slice_is(node_key(c), "reach"))
        return true;
    if (c->negated)
        return false;
    for (u32 i = 0; i < node_nargs(c); i++)
        if (slice_is(node_key(c), "to") && slice_is(node_arg(c, i)->text, "*"))
            return true;
    return false;
}

static bool matches_all(const struct node *rule)
{
    for (const struct node *c = rule->children; c; c = c->next)
        if (!always_holds(c))
            return false;
    return true;
}

static void check_unreachable(const struct node *rules, struct diags *d)
{
    const struct node *all = NULL;
    for (const struct node *r = rules->children; r; r = r->next) {
        if (all) {
            diag_warning(d, &r->words[1], "the rule %s can never decide", word_shown(&r->words[1]));
            diag_more(d, "every request matches %s at %s already", slice_shown(node_name(all)),
                      position_shown(node_at(all)));
            return;
        }
        if (matches_all(r))
            all = r;
    }
}

/* ---- a deny by path, and the tunnel beside it ---- */

static const struct node *positive(const struct node *rule, const char *key)
{
    const struct node *c = node_child(rule, key);
    while (c && c->negated)
        c = node_again(c);
    return c;
}

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
        if (slice_is(host, "class")) {
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
    if (rules == NULL || policy->told)
        return;
    check_unreachable(rules, d);
    struct arena a;
    arena_init(&a, 0);
    const struct policy *p = policy_compile(policy, &a, d);
    for (const struct node *r = rules->children; r; r = r->next)
        if (slice_is(node_key(r), "deny"))
            check_tunnel(p, r, d);
    arena_free(&a);
}
