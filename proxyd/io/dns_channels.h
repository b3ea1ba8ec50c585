/*
 * The channels of c-ares to one set of servers, for dns_ask.c alone: a channel serves one server,
 * with EDNS or without, and tries once. It is opened when it is first needed.
 *
 * The hard thing is to keep c-ares off the disk and within the loop: every option that it would
 * otherwise read from a file is given, and its sockets, which it opens and closes as it likes, are
 * watched in a few slots of the channel. A set is let go only when nothing is under way on it
 * (tries, questions: who asks counts them), for what is under way calls back into it.
 */
#ifndef IO_DNS_CHANNELS_H
#define IO_DNS_CHANNELS_H

#include <ares.h>

#include "io/dns_ask.h"
#include "io/dns_socket.h"

enum { CHANNEL_SOCKETS = 4 /* UDP and TCP, and one of each that is being replaced */ };

struct dns_channel;

struct dns_channel_socket {
    struct io io;
    struct dns_channel *channel;
};

struct dns_channel {
    ares_channel ares; /* NULL: not open yet */
    struct dns_channels *of;
    u8 server;
    bool edns;
    struct dns_sockets sockets;
    struct dns_channel_socket socket[CHANNEL_SOCKETS];
};

struct dns_channels {
    struct list link; /* the owner's */
    const struct dns_ask_conf *conf;
    struct loop *loop;
    struct dns_servers *servers;
    u32 tries, questions; /* under way; the owner's */
    u32 try_ms;           /* t */
    struct dns_channel channel[DNS_SERVERS][2];
};

/* To the servers in force; none is open yet. conf and loop stay the caller's. NULL: no memory. */
struct dns_channels *dns_channels_new(const struct dns_ask_conf *conf, struct loop *loop);
/* Out of the owner's list, and nothing may be asked on it any more; c-ares calls back for each try
 * that is still under way. */
void dns_channels_free(struct dns_channels *cs);
/* Lets c-ares notice its own time-outs; may call back for any try. */
void dns_channels_expire(struct dns_channels *cs);

/* Opens it if it is not. False: no memory, or c-ares will not. */
bool dns_channel_open(struct dns_channel *c);

static inline struct dns_server *dns_channel_server(const struct dns_channel *c)
{
    return &c->of->servers->server[c->server];
}

#endif
