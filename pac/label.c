#include "pac/label.h"

#include "base/must.h"
#include "base/str.h"
#include "filters/addrclass.h"
#include "policy/rule.h"

/* A label that stands for "any other one below". */
#define BELOW_HERE "any-other-name"

static bool same(const struct pac_label *a, const struct pac_label *b)
{
    if (a->is_net != b->is_net)
        return false;
    if (a->is_net)
        return a->net.bits == b->net.bits && addr_same_ip(&a->net.base, &b->net.base);
    return a->kind == b->kind && slice_eq(a->host, b->host);
}

static void add(struct pac_labels *l, struct pac_label one)
{
    for (u32 i = 0; i < l->n; i++)
        if (same(&l->list[i], &one))
            return;
    if (l->n == l->room) {
        struct pac_label *more = arena_alloc(l->arena, 2 * (l->room + 8) * sizeof *more);
        if (l->n)
            memcpy(more, l->list, l->n * sizeof *more);
        l->list = more;
        l->room = 2 * (l->room + 8);
    }
    l->list[l->n++] = one;
}

static void add_host(struct pac_labels *l, enum host_kind kind, struct slice host,
                     const struct word *w, bool said)
{
    char *lower = arena_alloc(l->arena, host.n + 1);
    for (size_t i = 0; i < host.n; i++)
        lower[i] = ascii_lower(host.p[i]);
    struct pac_label one = { .host = { lower, host.n }, .word = w, .said = said };
    for (enum host_kind k = HOST_ITSELF; k <= HOST_BELOW; k++)
        if (kind & k) {
            one.kind = k;
            add(l, one);
        }
}

static void add_net(struct pac_labels *l, const struct cidr *net, const struct word *w, bool said)
{
    add(l, (struct pac_label){ .is_net = true, .net = *net, .word = w, .said = said });
}

static void add_text_net(struct pac_labels *l, const char *text)
{
    struct cidr net;
    bool host_bits;
    must(cidr_parse(slice_of(text), &net, &host_bits));
    add_net(l, &net, NULL, false);
}

/* A value of `direct` or `to`; the words of lists, classes and patterns are passed over. */
static void add_word(struct pac_labels *l, const struct word *w, bool said)
{
    struct cidr net;
    bool host_bits;
    enum host_kind kind;
    struct slice host, text = w->text;
    if (w->kind == WORD_REGEX)
        return;
    if (slice_is(text, "*")) {
        add_host(l, HOST_BELOW, SLICE(""), w, said);
        if (said) {
            static const char *const all[] = { "0.0.0.0/0", "::/0" };
            for (unsigned i = 0; i < countof(all) && cidr_parse(slice_of(all[i]), &net, &host_bits);
                 i++)
                add_net(l, &net, w, said);
        }
        return;
    }
    if (cidr_parse(text, &net, &host_bits)) {
        add_net(l, &net, w, said);
        return;
    }
    if (slice_ends(text, SLICE(".")))
        text.n--;
    if (host_pattern(text, &kind, &host))
        add_host(l, kind, host, w, said);
}

/* ---- what lies within a value of `direct` ---- */

static bool host_within(const struct pac_label *wide, const struct pac_label *l)
{
    if (wide->kind == HOST_ITSELF)
        return l->kind == HOST_ITSELF && slice_eq(wide->host, l->host);
    if (wide->host.n == 0)
        return true;
    if (!slice_ends(l->host, wide->host))
        return false;
    return l->host.n == wide->host.n ? l->kind == HOST_BELOW
                                     : l->host.p[l->host.n - wide->host.n - 1] == '.';
}

static bool within(const struct pac_label *wide, const struct pac_label *l)
{
    if (wide->is_net != l->is_net)
        return false;
    return l->is_net ? wide->net.bits <= l->net.bits && cidr_has(&wide->net, &l->net.base)
                     : host_within(wide, l);
}

static void take_those_within(struct pac_labels *l, const struct pac_labels *more)
{
    u32 said = l->n;
    for (u32 i = 0; i < more->n; i++)
        for (u32 k = 0; k < said; k++)
            if (l->list[k].said && within(&l->list[k], &more->list[i])) {
                add(l, more->list[i]);
                break;
            }
}

static void add_rules(struct pac_labels *l, const struct node *policy)
{
    const struct node *rules = node_child(policy, "rules");
    for (const struct node *r = rules ? rules->children : NULL; r; r = r->next)
        for (const struct node *to = node_child(r, "to"); to; to = node_again(to))
            for (u32 i = 0; i < node_nargs(to); i++) {
                const struct word *w = node_arg(to, i);
                if (word_is_bare(w, "class") || word_is_bare(w, "list") ||
                    word_is_bare(w, "category"))
                    i++;
                else
                    add_word(l, w, false);
            }
}

/* An allow opens classes, so their borders are borders too. */
static void add_classes(struct pac_labels *l)
{
    for (enum addr_class c = 0; c < CLASS_COUNT; c++) {
        char area[1024];
        struct text t = text_in(area, sizeof area);
        addr_class_text(&t, c);
        struct slice rest = text_slice(&t), piece;
        while (slice_cut(&rest, ' ', &piece)) {
            struct cidr net;
            bool host_bits;
            while (piece.n && (piece.p[piece.n - 1] == ',' || piece.p[piece.n - 1] == ';'))
                piece.n--;
            if (cidr_parse(piece, &net, &host_bits))
                add_net(l, &net, NULL, false);
        }
    }
}

/* ---- what the policy says of each ---- */

bool cidr_own_address(const struct cidr *list, u32 n, u32 at, struct addr *out)
{
    *out = list[at].base;
    for (u32 i = 0; i < n; i++) {
        const struct cidr *c = &list[i];
        if (c->base.family == 0 || c->bits <= list[at].bits || !cidr_has(c, out))
            continue;
        *out = c->base; /* the first one behind it */
        unsigned bit = c->bits;
        while (bit > 0 && (out->ip[(bit - 1) / 8] & (0x80 >> (bit - 1) % 8)))
            bit--, out->ip[bit / 8] &= (u8) ~(0x80 >> bit % 8);
        if (bit == 0)
            return false;
        out->ip[(bit - 1) / 8] |= (u8)(0x80 >> (bit - 1) % 8);
        if (!cidr_has(&list[at], out))
            return false;
        i = (u32)-1; /* it may be in one that was passed over */
    }
    return true;
}

static bool example_of(const struct pac_labels *l, const struct cidr *nets, u32 at, struct host *h)
{
    const struct pac_label *one = &l->list[at];
    char area[256 + sizeof BELOW_HERE];
    struct text t = text_in(area, sizeof area);
    if (one->is_net) {
        *h = (struct host){ .literal = true };
        if (!cidr_own_address(nets, l->n, at, &h->addr))
            return false;
        addr_text(&t, &h->addr);
    } else {
        if (one->kind == HOST_BELOW)
            text_lit(&t, BELOW_HERE);
        if (one->kind == HOST_BELOW && one->host.n)
            text_char(&t, '.');
        text_add(&t, one->host);
        *h = (struct host){ .literal = false };
    }
    if (t.full || t.n >= sizeof h->name)
        return false;
    memcpy(h->name, t.p, t.n);
    h->len = (u8)t.n;
    return true;
}

static void ask_policy(struct pac_labels *l, const struct policy *p, const struct addr *client)
{
    struct cidr *nets = arena_zalloc(l->arena, (l->n + 1) * sizeof *nets);
    for (u32 i = 0; i < l->n; i++)
        if (l->list[i].is_net)
            nets[i] = l->list[i].net;
    for (u32 i = 0; i < l->n; i++) {
        struct pac_label *one = &l->list[i];
        struct host h;
        if (one->word == NULL && one->direct)
            continue; /* loopback is the client's own machine */
        if (example_of(l, nets, i, &h)) {
            one->ruling = policy_by_host(p, client, &h);
            one->direct = one->ruling.says == BY_HOST_ALLOWED;
        }
    }
}

void pac_labels_make(struct pac_labels *l, const struct pac_section *s,
                     const struct node *policy_block, const struct policy *policy,
                     const struct addr *client, struct arena *a)
{
    *l = (struct pac_labels){ .arena = a };
    add_text_net(l, "127.0.0.0/8");
    add_text_net(l, "::1");
    add_host(l, HOST_BOTH, SLICE("localhost"), NULL, false);
    for (const struct node *n = s->direct; n; n = node_again(n))
        for (u32 i = 0; i < node_nargs(n); i++)
            add_word(l, node_arg(n, i), true);
    for (u32 i = 0; i < l->n; i++)
        l->list[i].direct = true;
    if (policy == NULL || s->direct == NULL)
        return;
    struct pac_labels more = { .arena = a };
    add_rules(&more, policy_block);
    add_classes(&more);
    take_those_within(l, &more);
    ask_policy(l, policy, client);
}
