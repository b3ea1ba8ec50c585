/*
 * All hosts cannot be tried. But script and policy both ask for hosts by name, by domain and by
 * network, so what they say can change only at a border of one of these: each is tried, with its
 * neighbours on both sides. What lists hold is sampled.
 */
#include "pac_prove.h"

#include <stdlib.h>

#include "base/must.h"
#include "config/schema.h"
#include "config/shown.h"
#include "filters/hostset.h"
#include "forecast.h"
#include "forward/conf.h"
#include "list_load.h"
#include "pac/pac.h"
#include "pac_offline.h"
#include "policy/by_host.h"
#include "policy/explain.h"

enum { MOST_HOSTS = 20000, LIST_SAMPLES = 200, TOLD_MOST = 50 };

struct proving {
    const struct snapshot *snapshot;
    const struct listener *listener;
    const struct node *pac, *policy; /* blocks; pac NULL: none */
    struct arena arena;
    struct slice *host; /* as in a URL */
    u32 nhosts;
    bool *told;  /* of each host: by another client already */
    u32 samples; /* of the list at hand */
    bool enough; /* of it */
    struct pac_proof proof;
    FILE *to;
};

/* ---- which hosts ---- */

static void add_host(struct proving *p, struct slice host)
{
    for (u32 i = 0; i < p->nhosts; i++)
        if (slice_eq(p->host[i], host))
            return;
    if (p->nhosts < MOST_HOSTS && host.n && host.n <= 253)
        p->host[p->nhosts++] = arena_copy(&p->arena, host);
}

static void add_joined(struct proving *p, const char *before, struct slice host)
{
    char area[300];
    struct text t = text_in(area, sizeof area);
    text_cstr(&t, before);
    text_add(&t, host);
    if (!t.full)
        add_host(p, text_slice(&t));
}

/* Itself, below, far below, above, and one that only ends like it. */
static void add_name(struct proving *p, struct slice host)
{
    const char *dot = slice_find(host, '.');
    add_host(p, host);
    add_joined(p, "below.", host);
    add_joined(p, "far.below.", host);
    add_joined(p, "not", host);
    if (dot)
        add_host(p, slice_range(dot + 1, host.p + host.n));
}

static void add_addr(struct proving *p, const struct addr *a)
{
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    addr_text_host(&t, a);
    add_host(p, text_slice(&t));
}

/* The next address, or the one before; of the first and the last one there may be none. */
static void add_beside(struct proving *p, struct addr a, bool up)
{
    int i = a.family == AF_INET ? 3 : 15;
    u8 over = up ? 0xff : 0;
    while (i >= 0 && a.ip[i] == over)
        a.ip[i--] = (u8)~over;
    if (i < 0)
        return;
    a.ip[i] = (u8)(a.ip[i] + (up ? 1 : -1));
    add_addr(p, &a);
}

static void add_net(struct proving *p, const struct cidr *net)
{
    struct addr last = net->base;
    for (unsigned bit = net->bits; bit < (last.family == AF_INET ? 32u : 128u); bit++)
        last.ip[bit / 8] |= (u8)(0x80 >> bit % 8);
    add_addr(p, &net->base);
    add_addr(p, &last);
    add_beside(p, net->base, false);
    add_beside(p, last, true);
}

static const char *add_entry(void *ctx, const struct list_entry *e)
{
    struct proving *p = ctx;
    if (e->kind == ENTRY_HOST)
        add_name(p, e->text);
    else if (e->kind == ENTRY_NET)
        add_net(p, &e->net);
    p->enough |= ++p->samples >= LIST_SAMPLES;
    return NULL;
}

static void add_list(struct proving *p, struct slice name)
{
    const struct node *list = node_named(p->policy, "list", name);
    if (list == NULL)
        return;
    p->samples = 0;
    p->enough = false;
    struct list_conf c = list_conf_read(list, &p->arena);
    (void)list_walk(&c, add_entry, p, &p->enough);
}

static void add_words(struct proving *p, const struct node *statement)
{
    for (const struct node *n = statement; n; n = node_again(n))
        for (u32 i = 0; i < node_nargs(n); i++) {
            const struct word *w = node_arg(n, i);
            struct cidr net;
            bool host_bits;
            enum host_kind kind;
            struct slice host;
            if (w->kind == WORD_REGEX || slice_is(w->text, "*"))
                continue;
            if (word_is_bare(w, "list"))
                add_list(p, node_arg(n, ++i)->text);
            else if (word_is_bare(w, "class") || word_is_bare(w, "category"))
                i++;
            else if (cidr_parse(w->text, &net, &host_bits))
                add_net(p, &net);
            else if (host_pattern(w->text, &kind, &host))
                add_name(p, host);
        }
}

static void gather(struct proving *p)
{
    static const char *const always[] = { "intranet", "www.example", "192.0.1.1", "10.0.0.1",
                                          "[2a00::1]" };
    const struct node *rules = node_child(p->policy, "rules");
    p->host = arena_alloc(&p->arena, MOST_HOSTS * sizeof *p->host);
    p->told = arena_zalloc(&p->arena, MOST_HOSTS);
    for (unsigned i = 0; i < countof(always); i++)
        add_host(p, slice_of(always[i]));
    add_words(p, node_child(p->pac, "direct"));
    for (const struct node *f = node_child(p->pac, "from"); f; f = node_again(f))
        add_words(p, node_child(f, "direct"));
    for (const struct node *r = rules ? rules->children : NULL; r; r = r->next)
        add_words(p, node_child(r, "to"));
}

/* ---- what each says ---- */

static bool is_loopback(struct slice host)
{
    return slice_is(host, "localhost") || slice_ends(host, SLICE(".localhost")) ||
           slice_starts(host, SLICE("127.")) || slice_is(host, "[::1]");
}

static bool said_direct(const struct node *section, struct slice host, const struct host_prints *h)
{
    struct addr a = { .family = 0 };
    struct slice bare = host;
    if (bare.p[0] == '[')
        bare = (struct slice){ host.p + 1, host.n - 2 };
    bool literal = addr_parse(bare, &a);
    for (const struct node *n = node_child(section, "direct"); n; n = node_again(n))
        for (u32 i = 0; i < node_nargs(n); i++) {
            struct slice text = node_arg(n, i)->text;
            struct cidr net;
            bool host_bits;
            struct hostset one;
            if (slice_is(text, "*"))
                return true;
            if (cidr_parse(text, &net, &host_bits)) {
                if (literal && cidr_has(&net, &a))
                    return true;
                continue;
            }
            hostset_init(&one, NULL, 1);
            bool has = !literal && hostset_add(&one, text, 1) && hostset_has(&one, h);
            hostset_free(&one);
            if (has)
                return true;
        }
    return false;
}

/* The block's own, or the narrowest `from` that says something of `direct`. */
static bool block_says_direct(const struct proving *p, const struct addr *client, struct slice host)
{
    const struct node *best = p->pac;
    struct host_prints prints;
    struct cidr net;
    bool host_bits;
    int bits = -1;
    for (const struct node *f = node_child(p->pac, "from"); f; f = node_again(f))
        if (cidr_parse(node_name(f), &net, &host_bits) && cidr_has(&net, client) &&
            net.bits > bits) {
            bits = net.bits;
            best = node_child(f, "direct") ? f : p->pac;
        }
    host_prints(&prints, host);
    return said_direct(best, host, &prints);
}

static const struct forecast *ask_policy(struct proving *p, const struct addr *client,
                                         struct slice host, bool tunnel, struct arena *a)
{
    struct forecast *f = arena_alloc(a, sizeof *f);
    struct text t = text_in(arena_alloc(a, 300), 300);
    text_cstr(&t, tunnel ? "" : "http://");
    text_add(&t, host);
    text_cstr(&t, tunnel ? ":443" : "/");
    struct forecast_request r = { .method = tunnel ? SLICE("CONNECT") : SLICE("GET"),
                                  .target = text_slice(&t),
                                  .from = *client };
    forecast_make(p->snapshot, p->listener, &r, a, f);
    return f;
}

static void tell(struct proving *p, const char *what, struct slice host, const struct addr *client,
                 struct slice answer)
{
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    addr_text(&t, client);
    if (++p->proof.differences > TOLD_MOST)
        return;
    fprintf(p->to, "%.*s, for %.*s: %s\n    script  ", SLICE_FMT(host), SLICE_FMT(text_slice(&t)),
            what);
    shown_put(p->to, answer);
    fputc('\n', p->to);
}

static void tell_policy(struct proving *p, const struct forecast *f)
{
    const struct policy_decision *d = f->last;
    bool placed = d->rule || slice_is(d->rule_name, "default");
    if (p->proof.differences > TOLD_MOST)
        return;
    fprintf(p->to, "    policy  %s", f->fault ? fault_info(f->fault)->token : "allows it");
    if (d->rule_name.n)
        fprintf(p->to, ", by %.*s", SLICE_FMT(d->rule_name));
    if (placed)
        fprintf(p->to, ", at %s", position_shown(policy_rule_position(f->policy, d->rule)));
    if (d->listed.list.n)
        fprintf(p->to, ", by the list %.*s", SLICE_FMT(d->listed.list));
    fputc('\n', p->to);
}

static bool begins_direct(struct slice answer)
{
    return slice_starts(answer, SLICE("DIRECT"));
}

/* By what no script can see: then it is for the proxy to decide. */
static bool may_be_denied(const struct forecast *f, const struct addr *client)
{
    return policy_by_host(f->policy, client, &f->uri.host).says == BY_HOST_DEPENDS;
}

/* By an address that the name may lead to or not: nobody knows without a look-up. */
static bool denied_by_address(const struct forecast *f)
{
    return f->fault && f->parsed && !f->uri.host.literal &&
           f->decision.action == POLICY_NEEDS_ADDRESS;
}

/* True: they agree. */
static bool compare(struct proving *p, const struct addr *client, struct slice host,
                    const struct pac_answer *answer)
{
    struct arena a;
    if (answer->why != PAC_ANSWERED) {
        tell(p, "the script fails", host, client, answer->text);
        return false;
    }
    if (is_loopback(host)) /* the client's own machine */
        return true;
    bool agree = true;
    arena_init(&a, 0);
    const struct forecast *plain = ask_policy(p, client, host, false, &a);
    const struct forecast *tunnel = ask_policy(p, client, host, true, &a);
    const struct forecast *denied = plain->fault ? plain : tunnel->fault ? tunnel : NULL;
    if (denied && denied_by_address(denied))
        p->proof.by_address++;
    else if (begins_direct(answer->text) && denied) {
        tell(p, "direct, and the policy denies it", host, client, answer->text);
        tell_policy(p, denied);
        agree = false;
    } else if (!begins_direct(answer->text) && !denied && block_says_direct(p, client, host) &&
               !may_be_denied(plain, client)) {
        tell(p, "\"direct\" in the configuration, and sent to the proxy", host, client,
             answer->text);
        tell_policy(p, plain);
        agree = false;
    }
    arena_free(&a);
    return agree;
}

/* ---- all clients ---- */

static void prove_for(struct proving *p, const struct addr *client)
{
    struct arena a;
    if (!policy_client_allowed(forward_part_of(p->listener)->policy, client))
        return;
    arena_init(&a, 0);
    struct pac_question *q = arena_alloc(&a, p->nhosts * sizeof *q);
    struct pac_answer *answers = arena_zalloc(&a, p->nhosts * sizeof *answers);
    for (u32 i = 0; i < p->nhosts; i++) {
        struct text t = text_in(arena_alloc(&a, 300), 300);
        text_lit(&t, "http://");
        text_add(&t, p->host[i]);
        text_char(&t, '/');
        must(pac_url(text_slice(&t), &a, &q[i]));
    }
    struct pac_world world = { .client = *client };
    pac_ask(pac_offline_script(p->listener, client, &a), &world, q, p->nhosts, &a, answers);
    for (u32 i = 0; i < p->nhosts; i++)
        if (!p->told[i])
            p->told[i] = !compare(p, client, p->host[i], &answers[i]);
    p->proof.clients++;
    arena_free(&a);
}

static void prove_all(struct proving *p)
{
    const struct pac *pac = forward_part_of(p->listener)->pac;
    const struct node *clients = node_child(p->policy, "clients");
    struct addr local = addr_loopback(AF_INET, 0);
    prove_for(p, &local);
    for (u32 i = 0; clients && i < node_nargs(clients); i++) {
        struct cidr net;
        bool host_bits;
        if (cidr_parse(node_arg(clients, i)->text, &net, &host_bits))
            prove_for(p, &net.base);
    }
    for (u32 i = 0; i < pac_networks(pac); i++) {
        struct cidr net = pac_network_at(pac, i);
        prove_for(p, &net.base);
    }
}

static const struct node *block_of(const struct tree *t, const struct listener *l, const char *key)
{
    const struct node *n = node_child(&t->root, "listener");
    while (n && !slice_eq(node_name(n), l->name))
        n = node_again(n);
    const struct node *ref = node_child(n, key);
    return ref ? schema_ref(ref, 0) : NULL;
}

struct pac_proof pac_prove(const struct tree *t, const struct snapshot *s, const struct listener *l,
                           const struct addr *client, FILE *to)
{
    struct proving p = { .snapshot = s,
                         .listener = l,
                         .pac = block_of(t, l, "pac"),
                         .policy = block_of(t, l, "policy"),
                         .to = to };
    arena_init(&p.arena, 0);
    gather(&p);
    if (client)
        prove_for(&p, client);
    else
        prove_all(&p);
    p.proof.hosts = p.nhosts;
    arena_free(&p.arena);
    if (p.proof.clients == 0)
        p.proof.failed = "that client may not ask at all: \"clients\" of the policy";
    if (p.proof.differences > TOLD_MOST)
        fprintf(to, "and %u more\n", p.proof.differences - TOLD_MOST);
    return p.proof;
}
