/*
 * What the addresses, the clients and the rules are together, which no row of the schema sees. The
 * words of the blocks are read, and nothing is compiled: it has been checked already.
 */
#include "exposure.h"

#include "config/schema.h"
#include "filters/addrclass.h"
#include "schema_root.h"

static bool is_loopback(const struct bind_conf *b)
{
    return !b->both_families && !addr_is_wildcard(&b->addr) && b->addr.family != AF_UNIX &&
           addr_class(&b->addr) == CLASS_LOOPBACK;
}

/* The first address of a listener that others than this machine can reach; NULL: none. */
static const struct word *public_bind(const struct node *listener)
{
    for (const struct node *s = node_child(listener, "bind"); s; s = node_again(s))
        for (u32 i = 0; i < node_nargs(s); i++) {
            struct bind_conf b = bind_read(node_arg(s, i));
            if (!is_loopback(&b))
                return b.word;
        }
    return NULL;
}

/* ---- nobody may ask ---- */

static bool only_loopback(const struct node *clients)
{
    for (u32 i = 0; clients && i < node_nargs(clients); i++) {
        struct cidr c;
        bool host_bits;
        if (cidr_parse(node_arg(clients, i)->text, &c, &host_bits) &&
            addr_classes_in(&c) != CLASS_BIT(CLASS_LOOPBACK))
            return false;
    }
    return true; /* also by default */
}

static void tell_shut(const struct word *bind, const struct node *policy, struct diags *d)
{
    const struct node *clients = node_child(policy, "clients");
    diag_warning(d, bind, "other machines reach %s and get 403", word_shown(bind));
    if (clients)
        diag_more(d,
                  "the \"clients\" of the policy %s at %s are this machine only; name their "
                  "networks there",
                  slice_shown(node_name(policy)), position_shown(node_at(clients)));
    else
        diag_more(d,
                  "the policy %s has no \"clients\", so only this machine may ask; add for "
                  "instance: clients 127.0.0.0/8 ::1 10.0.0.0/8;",
                  slice_shown(node_name(policy)));
}

/* ---- everybody may do everything ---- */

static bool everybody(const struct node *clients)
{
    for (u32 i = 0; clients && i < node_nargs(clients); i++)
        if (slice_is(node_arg(clients, i)->text, "0.0.0.0/0") ||
            slice_is(node_arg(clients, i)->text, "::/0"))
            return true;
    return false;
}

/* An allow for all clients that opens this machine and the networks behind it. */
static const struct node *opens_all(const struct node *policy)
{
    const struct node *rules = node_child(policy, "rules");
    for (const struct node *r = node_child(rules, "allow"); r; r = node_again(r)) {
        const struct node *reach = node_child(r, "reach");
        bool loopback = false, private = false;
        for (u32 i = 0; reach && i < node_nargs(reach); i++) {
            loopback |= slice_is(node_arg(reach, i)->text, "loopback");
            private |= slice_is(node_arg(reach, i)->text, "private");
        }
        if (loopback && private && !node_child(r, "from") && !node_child(r, "mode"))
            return reach;
    }
    return NULL;
}

static void check_open(const struct word *bind, const struct node *policy, struct diags *d)
{
    const struct node *clients = node_child(policy, "clients"), *reach = opens_all(policy);
    const struct node *ports = node_child(policy, "connect-ports");
    if (!everybody(clients) || !ports || !slice_is(node_arg(ports, 0)->text, "any") || !reach)
        return;
    diag_warning(d, bind, "%s is an open proxy: everybody can reach everything through it",
                 word_shown(bind));
    diag_more(d,
              "all clients at %s, all ports at %s, all networks at %s; narrow one of them, best "
              "\"clients\"",
              position_shown(node_at(clients)), position_shown(node_at(ports)),
              position_shown(node_at(reach)));
}

/* ---- the admin listener ---- */

static void check_admin_bind(const struct node *root, struct diags *d)
{
    const struct node *n = node_child(node_child(root, "admin"), "bind");
    if (n == NULL || n->reported)
        return;
    struct bind_conf b = bind_read(node_arg(n, 0));
    bool wildcard = b.both_families || addr_is_wildcard(&b.addr);
    if (!wildcard && addr_class(&b.addr) != CLASS_PUBLIC)
        return;
    diag_warning(d, b.word, "everybody who reaches %s can read the admin listener",
                 word_shown(b.word));
    diag_more(d, "it asks nobody who they are; expected a loopback address, such as "
                 "127.0.0.1:3180, or one of an inner network");
}

/* ---- a parent that is the proxy itself ---- */

static bool leads_to(const struct word *proxy, const struct bind_conf *b)
{
    struct slice host;
    struct addr a;
    u16 port;
    if (!value_server(proxy->text, &host, &port) || port != b->addr.port)
        return false;
    if (!addr_parse(slice_is(host, "localhost") ? SLICE("127.0.0.1") : host, &a))
        return false;
    bool wildcard = b->both_families || addr_is_wildcard(&b->addr);
    return wildcard ? addr_class(&a) == CLASS_LOOPBACK : addr_same_ip(&a, &b->addr);
}

static void check_own_parent(const struct node *root, const struct word *proxy, struct diags *d)
{
    for (const struct node *l = node_child(root, "listener"); l; l = node_again(l))
        for (const struct node *s = node_child(l, "bind"); s; s = node_again(s))
            for (u32 i = 0; i < node_nargs(s); i++) {
                struct bind_conf b = bind_read(node_arg(s, i));
                if (!leads_to(proxy, &b))
                    continue;
                diag_warning(d, proxy, "the parent %s is this proxy itself", word_shown(proxy));
                diag_more(d,
                          "the listener %s is bound to it at %s; what goes there is refused as "
                          "a loop",
                          slice_shown(node_name(l)), position_shown(b.word->at));
                return;
            }
}

static void check_parents(const struct node *root, struct diags *d)
{
    for (const struct node *p = node_child(root, "parent"); p; p = node_again(p)) {
        const struct node *n = node_child(p, "proxy");
        for (u32 i = 0; n && i < node_nargs(n); i++)
            check_own_parent(root, node_arg(n, i), d);
    }
}

void exposure_check(const struct node *root, struct diags *d)
{
    check_admin_bind(root, d);
    check_parents(root, d);
    for (const struct node *l = node_child(root, "listener"); l; l = node_again(l)) {
        const struct node *ref = node_child(l, "policy");
        const struct node *policy = ref ? node_named(l, "policy", node_arg(ref, 0)->text) : NULL;
        const struct word *bind = public_bind(l);
        if (policy == NULL || bind == NULL)
            continue;
        if (only_loopback(node_child(policy, "clients")))
            tell_shut(bind, policy, d);
        else
            check_open(bind, policy, d);
    }
}
