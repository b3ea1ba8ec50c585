/* Inside of pac/: what a `pac` block says for the clients of one network. */
#ifndef PAC_SECTION_H
#define PAC_SECTION_H

#include "base/addr.h"
#include "config/tree.h"

struct pac_proxy {
    struct slice at; /* HOST:PORT */
    bool tls;        /* it is spoken to by TLS: HTTPS instead of PROXY */
};

struct pac_section {
    bool everybody;  /* it is the block itself; else for the clients in `net` */
    struct cidr net; /* of `from` */
    const struct pac_proxy *proxy;
    u32 nproxies; /* 0: the address that the client has reached */
    bool shard, dns, plain_direct, fallback_direct;
    const struct node *direct; /* the first statement of that key, NULL: none */
};

/* The block itself (0) and each `from` of it; how many. block NULL: one, with all defaults. */
u32 pac_sections(const struct node *block);
/* The i-th of them, in the arena; what a `from` does not say the block says. */
struct pac_section pac_section_read(const struct node *block, u32 i, struct arena *a);

#endif
