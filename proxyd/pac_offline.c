#include "pac_offline.h"

#include "base/str.h"
#include "forward/conf.h"
#include "pac/pac.h"

struct slice pac_offline_script(const struct listener *l, const struct addr *client,
                                struct arena *a)
{
    char area[ADDR_TEXT];
    struct text own = text_in(area, sizeof area);
    struct addr at = l->at->addr;
    const struct pac_script *s = pac_for(forward_part_of(l)->pac, client);
    if (s->whole)
        return s->after;
    if (addr_is_wildcard(&at))
        at = addr_loopback(l->at->both_families ? AF_INET : at.family, at.port);
    addr_text_port(&own, &at);
    struct text t = text_in(arena_alloc(a, PAC_MAX), PAC_MAX);
    pac_write(&t, s, text_slice(&own));
    return text_slice(&t);
}

static bool is_given(const char *given, struct slice name, struct addr *out)
{
    struct slice rest = slice_of(given), host, one;
    if (!slice_cut(&rest, '=', &host) || !slice_eq_nocase(host, name))
        return false;
    return slice_cut(&rest, ',', &one) && addr_parse(one, out);
}

/* A script knows IPv4 alone, so that comes first. */
bool pac_offline_lookup(void *names, struct slice name, struct addr *out)
{
    const struct pac_names *n = names;
    struct addr found[2 * HOSTS_PER_FAMILY];
    u8 six = 0;
    for (u32 i = 0; i < n->ngiven && n->given[i]; i++)
        if (is_given(n->given[i], name, out))
            return true;
    unsigned all = n->hosts ? hosts_find(n->hosts, name, found, &six) : 0;
    if (all == 0)
        return false;
    *out = found[six < all ? six : 0];
    return true;
}
