/* A client that has not asked this machine: it was on its way to somebody else, and the network has
 * led it here. */
#ifndef CORE_INTERCEPTED_H
#define CORE_INTERCEPTED_H

#include "base/addr.h"
#include "http/client_hello.h"

/* The name that it told, in Host or in the ClientHello. */
enum told {
    TOLD_THE_PROXY,   /* nobody was intercepted */
    TOLD_CONFIRMED,   /* it leads to where the client was going */
    TOLD_UNCONFIRMED, /* it does not, or nobody knows */
    TOLD_NOTHING
};

struct intercepted {
    struct addr original; /* where it was going; family 0: nobody knows */
    bool known;           /* the role's: it has looked at where it was going, and may go on */
    bool raw;             /* it speaks no HTTP: its request is a CONNECT of ours, to `original` */
    u8 hello;             /* raw: enum hello of its first bytes; MORE: there were none */
    bool encrypted;       /* raw: its ClientHello carries another one, encrypted (ECH) */
    u8 told_as;           /* enum told; the role's, anew for each exchange, and so is `port` */
    u16 port;             /* that stands behind the name; 0: none does */
    const struct host *name; /* that it told; lives as long as the exchange; NULL: none. Set by the
                                codec when raw, else by the role */
};

/* For another exchange: only where the connection was going stays true. */
static inline struct intercepted *intercepted_anew(struct intercepted *i)
{
    *i = (struct intercepted){ .original = i->original, .known = i->known };
    return i;
}

/* The same in one byte, for the record of a tunnel that is decided again. */
enum { TOLD_MASK = 3, TOLD_TLS = 4, TOLD_NO_SNI = 8, TOLD_ENCRYPTED = 16 };
static inline u8 intercepted_told(const struct intercepted *i)
{
    bool tls = i->raw && (i->hello == HELLO_NAME || i->hello == HELLO_NO_NAME);
    return (u8)(i->told_as | (tls ? TOLD_TLS : 0) |
                (tls && i->hello == HELLO_NO_NAME ? TOLD_NO_SNI : 0) |
                (tls && i->encrypted ? TOLD_ENCRYPTED : 0));
}

#endif
