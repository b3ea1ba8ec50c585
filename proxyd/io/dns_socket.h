/*
 * The sockets of a c-ares channel, opened here because the library does not tell for want of what a
 * question could not be asked: without a descriptor it says that the connection was refused.
 */
#ifndef IO_DNS_SOCKET_H
#define IO_DNS_SOCKET_H

#include <ares.h>

#include "base/types.h"

struct dns_sockets {
    bool (*make_room)(void *owner); /* see dns.h */
    void *owner;
    bool no_descriptor; /* the last one could not be opened for want of it */
    /* Shows FORMERR as NOTIMP. At FORMERR c-ares turns EDNS off for all questions of the channel
     * and for good, and repeats that one alone; who asks decides better. Over TCP, where a message
     * may come in pieces, it is left to c-ares. */
    bool hide_formerr;
};

/* For the channel's life; before its first question. */
void dns_sockets_use(struct dns_sockets *s, ares_channel channel);

#endif
