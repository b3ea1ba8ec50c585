/*
 * Where a request goes: `to` and `port`. The hard one is `to`: its values are names, which are
 * known at once, and networks and classes, which wait for the look-up; a name that matches makes
 * the wait unnecessary.
 */
#include "policy/condition.h"

#include "base/must.h"
#include "config/value.h"
#include "filters/cidrset.h"
#include "filters/portset.h"
#include "policy/condition_list.h"
#include "policy/patterns.h"

struct to {
    bool any, more; /* more: anything but hosts */
    u8 classes;     /* CLASS_BIT of each */
    struct hostset hosts;
    struct cidrset nets;
    struct patterns patterns; /* of the canonical host */
    struct list_uses lists;
};

static bool has_addresses(const struct to *to)
{
    return to->classes || to->nets.n4 + to->nets.n6;
}

struct list_uses *condition_to_lists(const void *data)
{
    return &((struct to *)(uintptr_t)data)->lists;
}

/* `list NAME`, and `category C` where it follows. The last word of the value. */
static u32 read_list(struct to *to, const struct node *n, u32 i, struct arena *a)
{
    struct list_use *u = &to->lists.use[to->lists.n++];
    *u = (struct list_use){ .name = arena_copy(a, node_arg(n, i + 1)->text) };
    if (i + 3 >= node_nargs(n) || !word_is_bare(node_arg(n, i + 2), "category"))
        return i + 1;
    u->category = arena_copy(a, node_arg(n, i + 3)->text);
    return i + 3;
}

const void *condition_to_make(const struct node *n, struct arena *a)
{
    struct to *to = arena_zalloc(a, sizeof *to);
    struct cidr *nets = arena_alloc(a, node_nargs(n) * sizeof *nets);
    size_t nnets = 0;
    to->lists.use = arena_alloc(a, node_nargs(n) * sizeof *to->lists.use);
    hostset_init(&to->hosts, a, node_nargs(n));
    for (u32 i = 0; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        bool host_bits;
        if (w->kind == WORD_REGEX)
            continue;
        if (slice_is(w->text, "class")) {
            enum addr_class class;
            must(i + 1 < node_nargs(n) && addr_class_find(node_arg(n, ++i)->text, &class));
            to->classes |= CLASS_BIT(class);
        } else if (word_is_bare(w, "list")) {
            i = read_list(to, n, i, a);
        } else if (slice_is(w->text, "*")) {
            to->any = true;
        } else if (cidr_parse(w->text, &nets[nnets], &host_bits)) {
            nnets++;
        } else {
            struct slice host = w->text;
            if (slice_ends(host, SLICE(".")))
                host.n--;
            must(hostset_add(&to->hosts, host, 1));
        }
    }
    cidrset_build(&to->nets, a, nets, nnets);
    patterns_gather(&to->patterns, n, a);
    to->more = has_addresses(to) || to->patterns.n || to->lists.n;
    return to;
}

void condition_to_narrow(const void *data, struct gate *g)
{
    const struct to *to = data;
    if (!to->any && to->lists.n == 0 && to->classes == 0 && to->patterns.n == 0 &&
        to->nets.n4 + to->nets.n6 == 0)
        g->traits &= ~(u32)TRAIT_LITERAL;
}

/* An address that carries an IPv4 one (NAT64, 6to4 …) may lead there or not: a deny of that network
 * holds for it, an allow wants the address itself. */
static enum match in_nets(const struct to *to, const struct addr *a)
{
    struct addr inside[2];
    if (to->nets.n4 + to->nets.n6 == 0)
        return MATCH_NO;
    if (cidrset_has(&to->nets, a))
        return MATCH_YES;
    for (unsigned n = to->nets.n4 ? addr_carried(a, inside) : 0; n > 0; n--)
        if (cidrset_has(&to->nets, &inside[n - 1]))
            return MATCH_UNSAFE;
    return MATCH_NO;
}

/* Of two values of the condition. One that cannot be judged comes before one that is not known
 * (yet): a deny holds by it. */
static enum match either(enum match a, enum match b)
{
    static const u8 rank[] = { [MATCH_NO] = 0,
                               [MATCH_UNKNOWN] = 1,
                               [MATCH_PENDING] = 2,
                               [MATCH_UNSAFE] = 3,
                               [MATCH_YES] = 4 };
    return rank[a] >= rank[b] ? a : b;
}

static enum match in_lists(const struct to *to, struct evaluation *e)
{
    enum match all = MATCH_NO;
    for (u32 i = 0; i < to->lists.n && all != MATCH_YES; i++)
        all = either(all, list_use_holds(&to->lists.use[i], e));
    return all;
}

/* What most rules do not have; apart, so that they do not pay for its registers. */
static enum match __attribute__((noinline)) holds_more(const struct to *to, struct evaluation *e)
{
    enum match found = MATCH_NO;
    if (to->patterns.n)
        found =
            patterns_find(&to->patterns, e, (struct slice){ e->q->host->name, e->q->host->len });
    if (to->lists.n && found != MATCH_YES)
        found = either(found, in_lists(to, e));
    if (found == MATCH_YES || !has_addresses(to))
        return found;
    if (e->address == NULL && found == MATCH_NO)
        return e->q->address_unknown ? MATCH_UNKNOWN : MATCH_PENDING;
    if (e->address == NULL)
        return found;
    e->address_used = true;
    if (to->classes && (to->classes & CLASS_BIT(evaluation_class(e))))
        return MATCH_YES;
    enum match net = in_nets(to, e->address);
    return net == MATCH_NO ? found : net;
}

enum match condition_to_holds(const void *data, struct evaluation *e)
{
    const struct to *to = data;
    if (to->any)
        return MATCH_YES;
    if (to->hosts.entries && !e->q->host->literal && hostset_has(&to->hosts, evaluation_prints(e)))
        return MATCH_YES;
    return likely(!to->more) ? MATCH_NO : holds_more(to, e);
}

const void *condition_port_make(const struct node *n, struct arena *a)
{
    struct portset *ports = arena_alloc(a, sizeof *ports);
    struct port_range *range = arena_alloc(a, node_nargs(n) * sizeof *range);
    for (u32 i = 0; i < node_nargs(n); i++)
        must(value_ports(node_arg(n, i)->text, &range[i].first, &range[i].last));
    portset_build(ports, a, range, node_nargs(n));
    return ports;
}

void condition_port_narrow(const void *data, struct gate *g)
{
    const struct portset *ports = data;
    u64 bits = 0;
    for (u32 i = 0; i < ports->n; i++) {
        u32 first = ports->range[i].first, last = ports->range[i].last;
        for (u32 port = first; port <= last && port < first + 64; port++)
            bits |= (u64)1 << port % 64;
    }
    g->ports &= bits;
}

enum match condition_port_holds(const void *data, struct evaluation *e)
{
    return match_of(portset_has(data, e->q->port));
}
