/*
 * The client is whoever holds the connection: what a request itself says about earlier hops
 * (X-Forwarded-*, Forwarded) or certificates (RFC 9440) can be written by anybody, so it is taken
 * out here, once, before anything can read it. The hard thing is what servers make of names: CGI
 * and its heirs read X_Forwarded_For and X-Forwarded-For as one variable, so the underscore twin of
 * a known field goes as well.
 */
#include "reverse/identity.h"

#include "base/str.h"
#include "core/exchange/xchg.h"

/* Filled before main and then only read. */
static u64 claims[2];

__attribute__((constructor)) static void build(void)
{
    token_mask(claims, TOKEN_CLAIM);
}

/* Of a name that is not in the token table. */
static bool is_claim(struct slice name)
{
    char area[64]; /* longer than every known name */
    struct slice dashed = { area, name.n < sizeof area ? name.n : sizeof area };
    for (size_t i = 0; i < dashed.n; i++)
        area[i] = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
    return slice_starts(dashed, SLICE("x-forwarded")) ||
           (name.n < sizeof area && token_find(dashed) != TOKEN_OTHER);
}

enum verdict reverse_identity(struct xchg *x)
{
    struct msg *m = &x->req;
    msg_remove_all(m, claims);
    for (u32 i = 0; msg_has(m, TOKEN_OTHER) && i < m->nfields; i++)
        if (m->fields[i].id == TOKEN_OTHER && is_claim(msg_name(m, &m->fields[i])))
            msg_remove_field(m, &m->fields[i]);
    return PASS;
}

void reverse_client(const struct xchg *x, struct text *out)
{
    addr_text(out, &x->peer);
}
