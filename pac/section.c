#include "pac/section.h"

#include "base/must.h"

u32 pac_sections(const struct node *block)
{
    u32 n = 1;
    for (const struct node *f = node_child(block, "from"); f; f = node_again(f))
        n++;
    return n;
}

/* Its first statement of that key, else the block's. */
static const struct node *said(const struct node *section, const struct node *block,
                               const char *key)
{
    const struct node *n = node_child(section, key);
    return n ? n : node_child(block, key);
}

static bool is(const struct node *statement, const char *word)
{
    return statement && slice_is(node_arg(statement, 0)->text, word);
}

static bool names_proxies(const struct node *n, bool *tls)
{
    *tls = slice_is(node_key(n), "https-proxy");
    return *tls || slice_is(node_key(n), "proxy");
}

/* In the order in which they stand, whichever of the two keys. */
static void read_proxies(struct pac_section *s, const struct node *in, struct arena *a)
{
    u32 most = 0;
    bool tls;
    for (const struct node *n = in ? in->children : NULL; n; n = n->next)
        most += names_proxies(n, &tls) ? node_nargs(n) : 0;
    struct pac_proxy *list = arena_alloc(a, most * sizeof *list + 1);
    s->nproxies = 0;
    for (const struct node *n = in ? in->children : NULL; n; n = n->next)
        for (u32 i = 0; names_proxies(n, &tls) && i < node_nargs(n); i++)
            list[s->nproxies++] = (struct pac_proxy){ arena_copy(a, node_arg(n, i)->text), tls };
    s->proxy = list;
}

struct pac_section pac_section_read(const struct node *block, u32 i, struct arena *a)
{
    const struct node *n = block;
    struct pac_section s = { .everybody = i == 0 };
    for (const struct node *f = node_child(block, "from"); f && i > 0; f = node_again(f), i--)
        n = f;
    bool host_bits;
    must(s.everybody || cidr_parse(node_name(n), &s.net, &host_bits));
    read_proxies(&s, n, a);
    if (s.nproxies == 0)
        read_proxies(&s, block, a);
    s.shard = is(said(n, block, "shard"), "on");
    s.dns = is(said(n, block, "dns"), "on");
    s.plain_direct = !is(said(n, block, "plain-names"), "proxy");
    s.fallback_direct = is(said(n, block, "fallback"), "direct");
    s.direct = said(n, block, "direct");
    return s;
}
