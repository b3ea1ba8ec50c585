/*
 * The client is whoever holds the connection: what a request itself says about earlier hops
 * (X-Forwarded-*, Forwarded) can be written by anybody, so it is taken out here, once, before
 * anything can read it.
 */
#include "reverse/who.h"

#include "core/xchg.h"

enum verdict reverse_who(struct xchg *x)
{
    static const enum token claimed[] = { TOKEN_FORWARDED,          TOKEN_X_FORWARDED_FOR,
                                          TOKEN_X_FORWARDED_HOST,   TOKEN_X_FORWARDED_PROTO,
                                          TOKEN_X_FORWARDED_PORT,   TOKEN_X_FORWARDED_PREFIX,
                                          TOKEN_X_FORWARDED_SERVER, TOKEN_X_REAL_IP };
    for (unsigned i = 0; i < countof(claimed); i++)
        if (msg_has(&x->req, claimed[i]))
            msg_remove(&x->req, claimed[i]);
    return PASS;
}

void reverse_client(const struct xchg *x, struct text *out)
{
    addr_text(out, &x->near.conn->peer);
}
