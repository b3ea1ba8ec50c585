/*
 * Readers and checks of listeners. The word of `mode` is passed on as it is, for the core does not
 * know which directions there are.
 */
#include <string.h>

#include "base/must.h"
#include "engine_conf.h"

struct bind_conf bind_read(const struct word *w)
{
    struct bind_conf b = { .text = w->text, .word = w };
    value_bind(w->text, &b.addr, &b.both_families);
    return b;
}

static bool covers(const struct bind_conf *wide, const struct bind_conf *b)
{
    static const u8 none[16];
    bool any = memcmp(wide->addr.ip, none, sizeof none) == 0;
    return any && (wide->both_families || wide->addr.family == b->addr.family);
}

bool bind_clashes(const struct bind_conf *a, const struct bind_conf *b)
{
    if (a->addr.port != b->addr.port)
        return false;
    return addr_same_ip(&a->addr, &b->addr) || covers(a, b) || covers(b, a);
}

void conf_check(const struct node *root, struct diags *d)
{
    struct bind_conf seen[CONF_BINDS];
    u32 n = 0;
    for (const struct node *l = node_child(root, "listener"); l; l = node_again(l))
        for (const struct node *s = node_child(l, "bind"); s; s = node_again(s))
            for (u32 i = 0; i < node_nargs(s); i++) {
                const struct word *w = node_arg(s, i);
                if (n == CONF_BINDS) {
                    diag_error(d, w, "more than %d addresses to listen on", CONF_BINDS);
                    return;
                }
                seen[n] = bind_read(w);
                if (w->reported)
                    continue;
                u32 k = 0;
                while (k < n && !bind_clashes(&seen[k], &seen[n]))
                    k++;
                if (k < n)
                    diag_error(d, w, "%s is already listened on, at %s", word_shown(w),
                               position_shown(seen[k].word->at));
                n++;
            }
}

void binds_read(const struct schema_row *row, const struct node *first, struct arena *a, void *to)
{
    struct listener_conf *l = to;
    u32 count = 0;
    (void)row;
    for (const struct node *n = first; n; n = node_again(n))
        count += node_nargs(n);
    l->binds = arena_zalloc(a, count * sizeof *l->binds);
    for (const struct node *n = first; n; n = node_again(n))
        for (u32 i = 0; i < node_nargs(n); i++) {
            struct bind_conf *b = &l->binds[l->nbinds++];
            *b = bind_read(node_arg(n, i));
            b->text = arena_copy(a, b->text);
        }
}

void via_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct listener_conf *l = to;
    struct schema_values v = schema_values(row, n);
    struct slice name;
    must(schema_values_next(&v, &name));
    l->via_off = slice_is(name, "off");
    if (!l->via_off && !slice_is(name, "on"))
        l->via = arena_copy(a, name);
}

void fronts_read(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct listener_conf *l = to;
    bool host_bits;
    (void)row;
    if (n == NULL)
        return;
    l->fronts = arena_zalloc(a, node_nargs(n) * sizeof *l->fronts);
    for (u32 i = 1; i < node_nargs(n); i++) /* behind `from` */
        must(cidr_parse(node_arg(n, i)->text, &l->fronts[l->nfronts++], &host_bits));
}

void fronts_check(const struct node *n, struct diags *d)
{
    for (u32 i = 1; i < node_nargs(n); i++) {
        const struct word *w = node_arg(n, i);
        struct cidr c;
        bool host_bits;
        if (w->reported || !cidr_parse(w->text, &c, &host_bits) || c.bits > 0)
            continue;
        diag_warning(d, w, "%s is everybody: each client can say that it is any other",
                     word_shown(w));
        diag_more(d, "name the addresses of what stands in front of this listener");
    }
}
