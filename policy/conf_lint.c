/*
 * Rules that can never decide. The hard thing is to be never wrong: only what follows from the
 * words alone is told, and a name may lead to any address, a deny reads a path in two ways.
 */
#include "base/str.h"
#include "config/value.h"
#include "policy/lint.h"

enum { RULES_MOST = 400 }; /* compared with each other */

/* ---- values ---- */

static bool is_net(struct slice s, struct cidr *out)
{
    bool host_bits;
    return cidr_parse(s, out, &host_bits);
}

static bool net_has(const struct cidr *a, const struct cidr *b)
{
    size_t bytes = a->bits / 8, rest = a->bits % 8;
    if (a->base.family != b->base.family || a->bits > b->bits ||
        memcmp(a->base.ip, b->base.ip, bytes) != 0)
        return false;
    return rest == 0 || (a->base.ip[bytes] ^ b->base.ip[bytes]) >> (8 - rest) == 0;
}

struct pattern_of_host {
    struct slice name;
    bool itself, below;
};

static struct pattern_of_host host_of(struct slice s)
{
    struct pattern_of_host p = { s, true, false };
    if (slice_starts(s, SLICE("*.")))
        p = (struct pattern_of_host){ slice_skip(s, 2), false, true };
    else if (slice_starts(s, SLICE(".")))
        p = (struct pattern_of_host){ slice_skip(s, 1), true, true };
    p.name.n -= slice_ends(p.name, SLICE("."));
    return p;
}

static bool is_below(struct slice name, struct slice parent)
{
    return name.n > parent.n + 1 && name.p[name.n - parent.n - 1] == '.' &&
           slice_eq_nocase((struct slice){ name.p + name.n - parent.n, parent.n }, parent);
}

/* Is every host of b one of a? */
static bool host_has(struct slice a, struct slice b)
{
    struct pattern_of_host x = host_of(a), y = host_of(b);
    if (slice_eq_nocase(x.name, y.name))
        return (x.itself || !y.itself) && (x.below || !y.below);
    return x.below && is_below(y.name, x.name);
}

/* Is some host in both? */
static bool hosts_meet(struct slice a, struct slice b)
{
    struct pattern_of_host x = host_of(a), y = host_of(b);
    if (slice_eq_nocase(x.name, y.name))
        return (x.itself && y.itself) || (x.below && y.below);
    return (x.below && is_below(y.name, x.name)) || (y.below && is_below(x.name, y.name));
}

static bool ports_of(struct slice s, struct port_range *out)
{
    return value_ports(s, &out->first, &out->last);
}

/* ---- conditions that exclude each other ---- */

/* False when it is not sure. */
static bool words_apart(struct slice key, const struct word *a, const struct word *b)
{
    struct cidr x, y;
    struct port_range p, q;
    if (a->kind == WORD_REGEX || b->kind == WORD_REGEX)
        return false;
    if (slice_is(key, "method"))
        return !slice_eq(a->text, b->text);
    if (slice_is(key, "port"))
        return ports_of(a->text, &p) && ports_of(b->text, &q) &&
               (p.last < q.first || q.last < p.first);
    if (slice_is(key, "from"))
        return is_net(a->text, &x) && is_net(b->text, &y) && !net_has(&x, &y) && !net_has(&y, &x);
    if (!slice_is(key, "to") || slice_is(a->text, "*") || slice_is(b->text, "*") ||
        is_net(a->text, &x) || is_net(b->text, &y))
        return false;
    return !hosts_meet(a->text, b->text);
}

/* Has it words that bind others, which are not compared? */
static bool binds(const struct node *c)
{
    for (u32 i = 0; i < node_nargs(c); i++)
        if (node_arg(c, i)->kind != WORD_REGEX &&
            schema_listed(c->row->binds, node_arg(c, i)->text))
            return true;
    return false;
}

static bool conditions_apart(const struct node *a, const struct node *b)
{
    if (binds(a) || binds(b))
        return false;
    for (u32 i = 0; i < node_nargs(a); i++)
        for (u32 k = 0; k < node_nargs(b); k++)
            if (!words_apart(node_key(a), node_arg(a, i), node_arg(b, k)))
                return false;
    return true;
}

void lint_exclusive(const struct node *rule, struct diags *d)
{
    for (const struct node *a = rule->children; a; a = a->next)
        for (const struct node *b = a->negated ? NULL : node_again(a); b; b = node_again(b)) {
            if (b->negated || !conditions_apart(a, b))
                continue;
            diag_warning(d, &b->words[0], "the rule %s can never match",
                         slice_shown(node_name(rule)));
            diag_more(d,
                      "\"%s\" at %s must hold as well, and nothing meets both; alternatives are "
                      "values of one: %s %s %s;",
                      b->words[0].text.p, position_shown(node_at(a)), b->words[0].text.p,
                      node_arg(a, 0)->text.p, node_arg(b, 0)->text.p);
            return;
        }
}

/* ---- ports that never come so far ---- */

static bool method_may_be(const struct node *rule, bool connect)
{
    for (const struct node *m = node_child(rule, "method"); m; m = node_again(m)) {
        bool some = m->negated;
        for (u32 i = 0; i < node_nargs(m) && !m->negated; i++)
            some |= slice_is(node_arg(m, i)->text, "CONNECT") == connect;
        if (!some)
            return false;
    }
    return true;
}

void lint_ports(const struct node *rule, const struct policy *p, struct diags *d)
{
    bool connect = method_may_be(rule, true), http = method_may_be(rule, false);
    for (const struct node *n = node_child(rule, "port"); n; n = node_again(n)) {
        bool open = n->negated;
        for (u32 i = 0; i < node_nargs(n) && !open; i++) {
            struct port_range r = { 1, 0 };
            ports_of(node_arg(n, i)->text, &r);
            for (u32 port = r.first; port <= r.last && !open; port++)
                open = (connect && portset_has(&p->connect_ports, (u16)port)) ||
                       (http && portset_has(&p->http_ports, (u16)port));
        }
        if (open)
            continue;
        diag_warning(d, &n->words[0], "the rule %s can never match", slice_shown(node_name(rule)));
        diag_more(d,
                  "requests to this port are refused before any rule; add it to \"%s\" of the "
                  "policy",
                  connect ? "connect-ports" : "http-ports");
        return;
    }
}

/* ---- rules behind others that take everything ---- */

static bool same_words(const struct node *a, const struct node *b)
{
    bool same = node_nargs(a) == node_nargs(b);
    for (u32 i = 0; same && i < node_nargs(a); i++)
        same = node_arg(a, i)->kind == node_arg(b, i)->kind &&
               slice_eq(node_arg(a, i)->text, node_arg(b, i)->text);
    return same;
}

static bool word_covers(struct slice key, const struct word *a, const struct word *b)
{
    struct cidr x, y;
    struct port_range p, q;
    if (a->kind == WORD_REGEX || b->kind == WORD_REGEX)
        return a->kind == b->kind && slice_eq(a->text, b->text);
    if (slice_is(key, "port"))
        return ports_of(a->text, &p) && ports_of(b->text, &q) && p.first <= q.first &&
               q.last <= p.last;
    if (slice_is(key, "method"))
        return slice_eq(a->text, b->text);
    bool net = is_net(a->text, &x), other = is_net(b->text, &y);
    if (net || other)
        return (net && other && net_has(&x, &y)) || slice_is(a->text, "*");
    return slice_is(a->text, "*") || (!slice_is(b->text, "*") && host_has(a->text, b->text));
}

/* Does a hold whenever b does? Both are of one key. */
static bool condition_covers(const struct node *a, const struct node *b)
{
    if (a->negated != b->negated)
        return false;
    if (same_words(a, b))
        return true;
    if (a->negated || binds(a) || binds(b) || !schema_listed("to port method from", node_key(a)))
        return false;
    for (u32 i = 0; i < node_nargs(b); i++) {
        bool found = false;
        for (u32 k = 0; k < node_nargs(a) && !found; k++)
            found = word_covers(node_key(a), node_arg(a, k), node_arg(b, i));
        if (!found)
            return false;
    }
    return true;
}

/* Which an allow and a deny judge differently: one form of a path, or a pattern at its limits. */
static bool is_two_sided(const struct node *c)
{
    bool regex = false;
    for (u32 i = 0; i < node_nargs(c); i++)
        regex |= node_arg(c, i)->kind == WORD_REGEX;
    return regex || schema_listed("path query url type", node_key(c));
}

static bool rule_covers(const struct node *a, const struct node *b)
{
    bool allow = slice_is(node_key(a), "allow"), other = slice_is(node_key(b), "allow");
    for (const struct node *c = a->children; c; c = c->next) {
        bool found = c->row->tag == 0; /* no condition */
        for (const struct node *e = b->children; e && !found; e = e->next)
            found = e->row == c->row ||
                            (e->row->tag == c->row->tag && slice_eq(node_key(e), node_key(c)))
                        ? condition_covers(c, e)
                        : false;
        if (!found || (c->row->tag && allow && !other && is_two_sided(c)))
            return false;
    }
    return true;
}

static bool on_answer(const struct node *rule)
{
    return node_child(rule, "status") || node_child(rule, "length") || node_child(rule, "type");
}

void lint_covered(const struct node *rules, struct diags *d)
{
    u32 n = 0;
    for (const struct node *b = rules->children; b && n < RULES_MOST; b = b->next, n++)
        for (const struct node *a = rules->children; a != b; a = a->next) {
            if (node_child(a, "mode") || on_answer(a) != on_answer(b) || !rule_covers(a, b))
                continue;
            diag_warning(d, &b->words[1], "the rule %s can never decide", word_shown(&b->words[1]));
            diag_more(d, "every request that it matches, %s at %s has matched already",
                      slice_shown(node_name(a)), position_shown(node_at(a)));
            break;
        }
}
