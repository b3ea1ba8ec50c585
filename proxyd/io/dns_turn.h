/*
 * Whose question may be asked now. What one worker has in flight is bounded, in all, for each
 * client, for each zone and for each client in a zone, so that a zone whose servers never answer,
 * or a client that asks for a thousand names, takes a part of the places and not all; the others
 * wait until one is free. The one hard thing is finding who is next without going over all that
 * wait: a turn that waits stands in the queue of what it lacks (that of one of its shares, or of
 * all), and a place that is given back is offered to the queues it belongs to, that of all first,
 * so that one client's next name does not come before another client that waits longer.
 *
 * Single-threaded, without clock and network.
 */
#ifndef IO_DNS_TURN_H
#define IO_DNS_TURN_H

#include "base/addr.h"
#include "base/list.h"
#include "base/slab.h"

/* Names in flight on one worker; each is two questions. What one client has of one zone is small,
 * for a common forwarder (dnsmasq) refuses everything beyond 150 questions that wait for an answer;
 * at 30 ms an answer it still is 1,000 names a second. A zone has several times that, so that one
 * client that asks for dead names of a zone that many share (a cloud's) does not close it to the
 * others. A client's is that of several dead zones. */
enum {
    DNS_TURNS = 500,
    DNS_TURNS_CLIENT = 200,
    DNS_TURNS_ZONE = 128,
    DNS_TURNS_CLIENT_ZONE = 32,
    DNS_WAITING = 4000, /* beyond that nobody is let in who cannot go at once */
    DNS_WAITING_CLIENT = 2000
};

/* The bounds that a turn is under, besides that of all. */
enum dns_bound { DNS_BOUND_CLIENT_ZONE, DNS_BOUND_ZONE, DNS_BOUND_CLIENT, DNS_BOUNDS };

enum { DNS_SHARE_BUCKETS = 1024 };

struct dns_share;

struct dns_turns {
    struct slab shares;
    struct dns_share *bucket[DNS_SHARE_BUCKETS];
    struct list queue; /* wait for a place among all */
    struct list ready; /* have theirs; dns_turn_next gives them out */
    u32 flying, waiting;
};

/* Embedded in what flies. */
struct dns_turn {
    struct list link;
    struct dns_share *share[DNS_BOUNDS];
    bool flying;
};

enum dns_turn_when { DNS_TURN_NOW, DNS_TURN_LATER, DNS_TURN_NEVER };

void dns_turns_init(struct dns_turns *t);
/* After the last dns_turn_end. */
void dns_turns_free(struct dns_turns *t);
/* A place for a name that client asks for (NULL: the proxy itself; of an IPv6 address the /64
 * counts). NOW: it may fly. LATER: it waits, and comes out of dns_turn_next. NEVER: too many wait,
 * or there is no memory; the turn is nothing then. But for NEVER, dns_turn_end must follow. */
enum dns_turn_when dns_turn_take(struct dns_turns *t, struct dns_turn *turn, struct slice name,
                                 const struct addr *client);
/* It has landed, or waits no more. */
void dns_turn_end(struct dns_turns *t, struct dns_turn *turn);
/* One that waited and may fly now, or NULL; to be asked after each dns_turn_end until NULL. */
struct dns_turn *dns_turn_next(struct dns_turns *t);

/* The part of a name that stands for who answers for it: the last two labels, or three where the
 * last two are one under which others register (co.uk, com.au). It only decides who shares a
 * bound, so the list of all such suffixes, which is long and changes, is not worth its keep. */
struct slice dns_zone(struct slice name);

#endif
