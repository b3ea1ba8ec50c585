/* Who asks: `from`, the client's address, which is always known. */
#include "policy/condition.h"

#include "base/must.h"
#include "filters/cidrset.h"

const void *condition_from_make(const struct node *n, struct arena *a)
{
    struct cidrset *nets = arena_alloc(a, sizeof *nets);
    struct cidr *list = arena_alloc(a, node_nargs(n) * sizeof *list);
    bool host_bits;
    for (u32 i = 0; i < node_nargs(n); i++)
        must(cidr_parse(node_arg(n, i)->text, &list[i], &host_bits));
    cidrset_build(nets, a, list, node_nargs(n));
    return nets;
}

/* A compare of the address costs no more than a mask of it would. */
void condition_from_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

enum match condition_from_holds(const void *data, struct evaluation *e)
{
    return match_of(cidrset_has(data, &e->q->client));
}
