/*
 * One question put to the servers of a set until one gives an answer of use: which is asked when,
 * with EDNS or without. c-ares carries each try (ids, sockets, TCP for what is truncated); whom to
 * ask next is decided here, because its channels turn EDNS off for all servers and for good.
 *
 * The tries: one server is given t, 2t and 4t, several two rounds of t and 2t each; a late answer
 * to an earlier try still counts. A server that answers EDNS with something of no use (FORMERR,
 * NOTIMP, SERVFAIL, REFUSED, bytes that cannot be read) is asked again without it at once, one that
 * is silent in its next turn; one that fails without EDNS as well is not asked again. Where EDNS
 * made the difference, the server's set remembers it (dns_servers.h).
 */
#ifndef IO_DNS_ASK_H
#define IO_DNS_ASK_H

#include "base/stat.h"
#include "io/dns_reply.h"
#include "io/dns_servers.h"
#include "io/loop.h"

/* All uses of the one timer kind. */
struct dns_timer {
    struct timer timer;
    void (*fire)(struct dns_timer *);
};

static inline void dns_timer_make(struct dns_timer *t, u8 kind, void (*fire)(struct dns_timer *))
{
    timer_init(&t->timer, kind);
    t->fire = fire;
}

struct dns_ask_conf {
    struct dns_server_list *servers;
    u32 timeout_ms; /* of one question, all tries together */
    bool edns;
    bool (*make_room)(void *context); /* see dns.h */
    u8 timer_kind;
};

/* One worker's channels; all functions on its loop's thread. */
struct dns_questions;

struct dns_questions *dns_questions_new(const struct dns_ask_conf *conf, struct loop *loop,
                                        struct stats *stats);
/* No question may be under way. */
void dns_questions_free(struct dns_questions *a);

struct dns_channels;

/* Embedded in what asks. The first group is the caller's, the rest is written here. */
struct dns_question {
    struct slice name; /* lower case, no final dot; constant while under way */
    sa_family_t family;
    void (*answered)(struct dns_question *); /* once, perhaps from within dns_ask; may free it */

    bool done;
    struct dns_reply reply; /* done: what it came to */
    struct dns_questions *all;
    struct dns_channels *channels; /* of the servers it is put to; NULL: not under way */
    struct dns_timer timer;        /* the next try, or the end */
    struct list tries;             /* under way */
    u64 end;                       /* ms */
    enum fault fault;              /* of the last failure */
    u8 next;                       /* tries begun by the clock */
    u8 edns, rejected; /* bits of servers: asked with EDNS; whose answer was of no use */
    u8 plain, failed;  /* asked without; of no use even so */
};

void dns_ask(struct dns_questions *a, struct dns_question *q);
/* It is not under way any more: `answered` is not called. Harmless when it is not. */
void dns_ask_end(struct dns_question *q);

#endif
