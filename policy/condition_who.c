/*
 * Who asks: `from`, the client's address and the groups of its user, and `user`, the name. The
 * address is always known. Of a user nothing is known where nobody had to say who he is: then
 * neither a rule for somebody matches nor one against him.
 */
#include "policy/condition.h"

#include "base/must.h"
#include "filters/cidrset.h"
#include "policy/users.h"

/* ---- from ---- */

struct from {
    struct cidrset nets;
    struct slice *group;
    u32 groups;
};

const void *condition_from_make(const struct node *n, struct arena *a)
{
    struct from *from = arena_zalloc(a, sizeof *from);
    struct cidr *list = arena_alloc(a, node_nargs(n) * sizeof *list);
    size_t nets = 0;
    bool host_bits;
    from->group = arena_alloc(a, node_nargs(n) * sizeof *from->group);
    for (u32 i = 0; i < node_nargs(n); i++)
        if (slice_is(node_arg(n, i)->text, "group"))
            from->group[from->groups++] = arena_copy(a, node_arg(n, ++i)->text);
        else
            must(cidr_parse(node_arg(n, i)->text, &list[nets++], &host_bits));
    cidrset_build(&from->nets, a, list, nets);
    return from;
}

/* A compare of the address costs no more than a mask of it would. */
void condition_from_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

enum match condition_from_holds(const void *data, struct evaluation *e)
{
    const struct from *from = data;
    if (cidrset_has(&from->nets, &e->q->client))
        return MATCH_YES;
    if (likely(from->groups == 0))
        return MATCH_NO;
    if (e->q->user.p == NULL)
        return MATCH_UNKNOWN;
    for (u32 i = 0; i < from->groups; i++)
        if (identity_in_group(e->q->user, from->group[i]))
            return MATCH_YES;
    return MATCH_NO;
}

/* ---- user ---- */

struct named {
    bool any;
    struct slice *name;
    u32 names;
};

const void *condition_user_make(const struct node *n, struct arena *a)
{
    struct named *named = arena_zalloc(a, sizeof *named);
    named->name = arena_alloc(a, node_nargs(n) * sizeof *named->name);
    for (u32 i = 0; i < node_nargs(n); i++)
        if (word_is_bare(node_arg(n, i), "*"))
            named->any = true;
        else
            named->name[named->names++] = arena_copy(a, node_arg(n, i)->text);
    return named;
}

void condition_user_narrow(const void *data, struct gate *g)
{
    (void)data;
    (void)g;
}

enum match condition_user_holds(const void *data, struct evaluation *e)
{
    const struct named *named = data;
    if (e->q->user.p == NULL)
        return MATCH_UNKNOWN;
    struct slice name = identity_name(e->q->user);
    bool is = named->any;
    for (u32 i = 0; i < named->names && !is; i++)
        is = slice_eq(named->name[i], name);
    return match_of(is);
}
