/*
 * How a connection is made: what two connections to one host and port may differ in. Profiles are
 * interned, so equal content is the same pointer, whichever configuration it came from, and a
 * target compares one word.
 */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

#include "base/addr.h"

struct connector;
struct parent;       /* a proxy on the way; its role's, and never freed */
struct tls_identity; /* what is verified and shown in a handshake; the same */

enum scheme { SCHEME_HTTP, SCHEME_HTTPS };

struct conn_profile {
    u64 id; /* given by profile_intern; 0: plain TCP, direct */
    u8 scheme;
    const struct connector *const *chain; /* after TCP, in order, ended by NULL; NULL: none */
    const struct tls_identity *tls;
    const struct parent *parent; /* that is connected to, and asked for what lies behind */
    struct addr source;          /* port 0; family 0: the system's choice */
};

/* The one with the content of `like`, whose id is not looked at. Never freed: there are as many as
 * configurations have differed. Any thread, but not on the path of a request: it takes a lock. */
const struct conn_profile *profile_intern(const struct conn_profile *like);

#endif
