#include "core/common/self_addrs.h"

#include <stdlib.h>

#include "base/must.h"
#include "core/conf.h"
#include "io/sock.h"

/* Every `bind`, the admin listener as it is and as it will be, twice what takes both families. */
enum { MOST = 2 * (CONF_BINDS + 2) };

struct self_addrs {
    struct addr listening[MOST];
    u32 n;
};

struct self_addrs *self_addrs_new(void)
{
    return must_zalloc(sizeof(struct self_addrs));
}

void self_addrs_free(struct self_addrs *o)
{
    free(o);
}

void self_addrs_add(struct self_addrs *o, const struct addr *listening, bool both_families)
{
    must(o->n + 2 <= MOST);
    o->listening[o->n++] = *listening;
    if (both_families)
        o->listening[o->n++] = (struct addr){ .family = AF_INET, .port = listening->port };
}

/* Whether `a` leads to `l`; the ports are equal. Dialling a wildcard reaches this machine, and a
 * listener on one is reached by all of its addresses, also those that came after the start: so the
 * kernel is asked, which costs 2 µs and only dials to a port of ours. */
static bool leads_to(const struct addr *a, const struct addr *l)
{
    if (a->family != l->family)
        return false;
    return addr_same_ip(a, l) || addr_is_wildcard(a) || (addr_is_wildcard(l) && sock_is_local(a));
}

bool self_addrs_has(const struct self_addrs *o, const struct addr *a)
{
    for (u32 i = 0; i < o->n; i++)
        if (o->listening[i].port == a->port && leads_to(a, &o->listening[i]))
            return true;
    return false;
}
