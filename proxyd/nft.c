/*
 * The rules come from the listener itself, so that they fit it: its ports and addresses, how it is
 * to be led to (`divert`), who its clients are. They are printed and not put in force: that is for
 * the administrator, and for a unit that takes them away again (service/proxyd-nft.service).
 *
 * The hard thing is what must not be led: what is meant for this machine itself, which would be
 * found out as the proxy's own address, and with `own` what the proxy sends, which would go round.
 */
#include "nft.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "config/load.h"
#include "config/shown.h"
#include "engine_conf.h"
#include "modes.h"
#include "schema_root.h"

/* Any number that nobody else is likely to use. */
#define MARK "0x70780"
#define TABLE "7078"

struct way {
    const struct nft_options *o;
    const struct node *listener;
    const struct node *policy;
    bool tproxy;
    struct arena *arena;
    const char *from[2]; /* what a packet comes from, of each family: a match, or "" */
};
enum { V4, V6 };
static const char *const family_names[] = { "ipv4", "ipv6" };
static const char *const families[] = { "ip", "ip6" };

/* ---- which listener? ---- */

static bool is_intercepting(const struct node *listener)
{
    const struct mode *mode = mode_find(node_arg(node_child(listener, "mode"), 0)->text);
    return mode && mode->role->intercepts;
}

static const struct node *find_listener(const struct tree *t, const char *name)
{
    for (const struct node *l = node_child(&t->root, "listener"); l; l = node_again(l))
        if (is_intercepting(l) && (name == NULL || slice_is(node_name(l), name)))
            return l;
    return NULL;
}

static bool says(const struct node *block, const char *key, const char *value)
{
    const struct node *n = node_child(block, key);
    return n && slice_is(node_arg(n, 0)->text, value);
}

/* ---- whose connections? ---- */

static void add_network(char *list, size_t room, struct slice network)
{
    size_t n = strlen(list);
    (void)snprintf(list + n, room - n, "%s%.*s", n ? ", " : "", SLICE_FMT(network));
}

static bool read_network(const struct node *clients, u32 i, struct cidr *c)
{
    bool host_bits;
    return cidr_parse(node_arg(clients, i)->text, c, &host_bits);
}

/* A set of nft takes no two networks that overlap. */
static bool is_in_another(const struct node *clients, u32 i, const struct cidr *c)
{
    struct cidr other;
    for (u32 k = 0; k < node_nargs(clients); k++)
        if (k != i && read_network(clients, k, &other) && cidr_has(&other, &c->base) &&
            (other.bits < c->bits || (other.bits == c->bits && k < i)))
            return true;
    return false;
}

static void set_from(struct way *w, unsigned family, const char *match, const char *list)
{
    size_t room = strlen(match) + strlen(list) + sizeof " {  } ";
    char *from = arena_alloc(w->arena, room);
    (void)snprintf(from, room, "%s { %s } ", match, list);
    w->from[family] = from;
}

/* Those of the policy that are not this machine. */
static void clients_of(struct way *w)
{
    const struct node *clients = node_child(w->policy, "clients");
    size_t room = 1;
    for (u32 i = 0; clients && i < node_nargs(clients); i++)
        room += node_arg(clients, i)->text.n + sizeof ", ";
    char *list[2] = { arena_zalloc(w->arena, room), arena_zalloc(w->arena, room) };
    for (u32 i = 0; clients && i < node_nargs(clients); i++) {
        struct cidr c;
        if (!read_network(clients, i, &c) || is_in_another(clients, i, &c))
            continue;
        struct addr loopback = addr_loopback(c.base.family, 0);
        if (c.bits >= 8 && cidr_has(&c, &loopback))
            continue;
        unsigned f = c.base.family == AF_INET6 ? V6 : V4;
        add_network(list[f], room, node_arg(clients, i)->text);
    }
    for (unsigned f = V4; f <= V6; f++)
        if (list[f][0])
            set_from(w, f, f == V4 ? "ip saddr" : "ip6 saddr", list[f]);
}

/* Names of interfaces, and wildcards of nft. */
static bool is_interface(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && strchr("._-@:*", name[i]) == NULL)
            return false;
    return n > 0 && n < 16;
}

static bool read_interfaces(struct way *w)
{
    char list[256] = "";
    for (unsigned i = 0; i < NFT_MANY && w->o->lan[i]; i++) {
        char quoted[24];
        if (!is_interface(w->o->lan[i])) {
            fprintf(stderr, "proxyd nft: %s is not the name of an interface\n",
                    slice_shown(slice_of(w->o->lan[i])));
            return false;
        }
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", w->o->lan[i]);
        add_network(list, sizeof list, slice_of(quoted));
    }
    for (unsigned f = V4; f <= V6 && list[0]; f++)
        set_from(w, f, "iifname", list);
    return true;
}

static bool is_ports(const char *text)
{
    return text[0] && strspn(text, "0123456789,-") == strlen(text) && isdigit((unsigned char)*text);
}

/* ---- the rules ---- */

static const char *ports_of(const struct way *w)
{
    return w->o->ports ? w->o->ports : "80,443";
}

/* Does that address of the listener serve that family? */
static bool serves(const struct bind_conf *b, unsigned family)
{
    return b->both_families || b->addr.family == (family == V4 ? AF_INET : AF_INET6);
}

/* What leads there: "redirect to :3129", "dnat ip to 10.0.0.1:3129", "tproxy ip to :3129". */
static void put_lead(const struct way *w, const struct bind_conf *b, unsigned family)
{
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    bool any = addr_is_wildcard(&b->addr);
    if (any) {
        text_char(&t, ':');
        text_u64(&t, b->addr.port);
    } else {
        addr_text_port(&t, &b->addr);
    }
    if (w->tproxy)
        printf("tproxy %s to %.*s meta mark set " MARK " accept\n", families[family],
               SLICE_FMT(text_slice(&t)));
    else if (any)
        printf("redirect to %.*s\n", SLICE_FMT(text_slice(&t)));
    else
        printf("dnat %s to %.*s\n", families[family], SLICE_FMT(text_slice(&t)));
}

/* The first address of the listener that serves the family; false: none does. */
static bool bind_for(const struct way *w, unsigned family, struct bind_conf *out)
{
    for (const struct node *s = node_child(w->listener, "bind"); s; s = node_again(s))
        for (u32 i = 0; i < node_nargs(s); i++) {
            *out = bind_read(node_arg(s, i));
            if (serves(out, family))
                return true;
        }
    return false;
}

static void put_leads(const struct way *w, bool own)
{
    for (unsigned f = V4; f <= V6; f++) {
        struct bind_conf b;
        if ((!own && w->from[f][0] == 0) || !bind_for(w, f, &b))
            continue;
        printf("    meta nfproto %s %stcp dport { %s } ", family_names[f], own ? "" : w->from[f],
               ports_of(w));
        put_lead(w, &b, f);
    }
}

static void put_chain(const char *name, const char *type)
{
    printf("  chain %s {\n    type %s; policy accept;\n", name, type);
}

static void put_lead_chain(const struct way *w)
{
    if (w->tproxy) {
        put_chain("lead", "filter hook prerouting priority mangle");
        puts("    meta l4proto tcp socket transparent 1 meta mark set " MARK " accept");
    } else {
        put_chain("lead", "nat hook prerouting priority dstnat");
    }
    puts("    fib daddr type local return");
    put_leads(w, false);
    puts("  }");
}

static void put_own_chain(const struct way *w, const char *user)
{
    put_chain("own", "nat hook output priority -100");
    printf("    meta skuid \"%s\" return\n    fib daddr type local return\n", user);
    put_leads(w, true);
    puts("  }");
}

/* Browsers that are refused UDP take TCP, which can be led. */
static void put_quic_chain(const struct way *w)
{
    put_chain("quic", "filter hook forward priority filter");
    for (unsigned f = V4; f <= V6; f++)
        if (w->from[f][0])
            printf("    meta nfproto %s %sudp dport 443 reject\n", family_names[f], w->from[f]);
    puts("  }");
}

static void put_routes(const char *what)
{
    for (unsigned f = V4; f <= V6; f++)
        printf("#   ip -%c rule %s fwmark " MARK " lookup " TABLE
               "; ip -%c route %s local default dev lo table " TABLE "\n",
               f == V4 ? '4' : '6', what, f == V4 ? '4' : '6', what);
}

static void put_rules(const struct way *w, const char *user)
{
    printf("# Leads connections to the listener %.*s of proxyd (%s). In force with:\n"
           "#   proxyd nft ... | nft -f -\n"
           "# Taken away with:\n#   proxyd nft ... --remove | nft -f -\n",
           SLICE_FMT(node_name(w->listener)), w->tproxy ? "tproxy" : "redirect");
    if (w->tproxy) {
        puts("# Packets that are marked have to be delivered to this machine:");
        put_routes("add");
    }
    puts("table inet proxyd\ndelete table inet proxyd\ntable inet proxyd {");
    put_lead_chain(w);
    if (user)
        put_own_chain(w, user);
    put_quic_chain(w);
    puts("}");
}

static void put_removal(bool tproxy)
{
    puts("table inet proxyd\ndelete table inet proxyd");
    if (tproxy) {
        puts("# and:");
        put_routes("del");
    }
}

/* ---- the command ---- */

static int complain(const char *what)
{
    fprintf(stderr, "proxyd nft: %s\n", what);
    return EXIT_FAILED;
}

static const char *user_of(const struct way *w, const struct tree *t)
{
    const struct node *user = node_child(&t->root, "user");
    return w->o->user ? w->o->user : user ? node_arg(user, 0)->text.p : NULL;
}

static int print(struct way *w, const struct tree *t)
{
    w->listener = find_listener(t, w->o->listener);
    if (w->listener == NULL)
        return complain(w->o->listener ? "there is no such listener with \"mode transparent\""
                                       : "no listener has \"mode transparent\"");
    w->tproxy = says(w->listener, "divert", "tproxy");
    if (w->o->remove) {
        put_removal(w->tproxy);
        return EXIT_FINE;
    }
    w->policy =
        node_named(w->listener, "policy", node_arg(node_child(w->listener, "policy"), 0)->text);
    if (w->o->ports && !is_ports(w->o->ports))
        return complain("--ports takes ports, such as 80,443,8000-8080");
    if (!read_interfaces(w))
        return EXIT_FAILED;
    if (w->o->lan[0] == NULL)
        clients_of(w);
    const char *user = w->o->own ? user_of(w, t) : NULL;
    if (w->o->own && w->tproxy)
        return complain("--own does not go with \"divert tproxy\": what this machine sends itself "
                        "does not come by there");
    if (w->o->own && (user == NULL || strpbrk(user, "\"\\\n")))
        return complain("--own needs --user NAME, or \"user\" in the configuration: what the proxy "
                        "sends itself must not come back to it");
    if (w->from[V4][0] == 0 && w->from[V6][0] == 0 && user == NULL)
        return complain("the policy's \"clients\" are this machine alone; --lan INTERFACE says "
                        "whose connections are to be led, --own those of this machine");
    put_rules(w, user);
    return EXIT_FINE;
}

int nft_run(const struct nft_options *o)
{
    struct tree t = { 0 };
    struct diags d;
    struct arena a;
    arena_init(&a, 0);
    struct way w = { .o = o, .arena = &a, .from = { "", "" } };
    diags_init(&d);
    bool fine = config_open(o->config, &t, &d);
    if (!fine)
        diags_print(&d, stderr);
    int code = fine ? print(&w, &t) : EXIT_FAILED;
    diags_free(&d);
    config_free(&t);
    arena_free(&a);
    return code;
}
