/*
 * What the proxy would do with a request, without doing it: the stages of a forward listener up to
 * the first connection, called with the very parser, rules and address checks of traffic. The hard
 * thing is not to become a second proxy: what is decided here is decided by the functions that the
 * stages call (request_parse, policy_decide, self_addrs_has …), in their order, and
 * tests/e2e/test_540_explain.py holds the two against each other.
 *
 * For `proxyd explain`, the `test` blocks of a configuration, and `proxyd diff`.
 */
#ifndef PROXYD_FORECAST_H
#define PROXYD_FORECAST_H

#include "core/common/snapshot.h"
#include "filters/addrclass.h"
#include "http/head.h"
#include "http/uri.h"
#include "io/dns.h"
#include "policy/explain.h"

/* How names become addresses. Both may block. */
struct lookup {
    /* As dns_search. */
    bool (*search)(void *ctx, struct slice name, struct text *out);
    void (*ask)(void *ctx, struct slice name, struct dns_answer *out);
    void *ctx;
};

struct forecast_request {
    struct slice method, target; /* as in a request line */
    struct slice fields;         /* "Name: value" CRLF each, without Host; */
    bool fields_shown;           /* else conditions on fields are unknown */
    struct addr from;
    struct slice user; /* a name that is taken as proved; p NULL: nobody says who he is */
    u64 at_s;          /* since 1970; 0: now */
    unsigned reader;
    const struct lookup *lookup; /* NULL: a name has the addresses given */
    const struct addr *given;    /* for a name: these, and none is looked up */
    u32 ngiven;                  /* 0 and no lookup: one public address */
    struct slice sni;            /* the host that a tunnel's ClientHello names; empty: not known */
    struct slice response;       /* the head of the answer; empty: not known */
    bool explain;                /* with every rule that is asked */
};

/* Which question had the last word. */
enum forecast_by {
    FORECAST_HEAD,      /* the head of the request is not valid, or too large */
    FORECAST_CLIENTS,   /* `clients` of the policy */
    FORECAST_OWN,       /* it is for the proxy itself */
    FORECAST_AUTH,      /* who does not say who he is, or is in no file */
    FORECAST_RULES,     /* ports, rules and the default, on what the request shows */
    FORECAST_LOOKUP,    /* the name has no address */
    FORECAST_ADDRESSES, /* each address */
    FORECAST_NAME,      /* the name in the ClientHello */
    FORECAST_ANSWER,    /* rules that look at the answer */
};

struct forecast_address {
    struct addr addr; /* with the port */
    enum addr_class class;
    enum fault fault; /* FAULT_NONE: it may be dialled */
    struct policy_decision decision;
    bool asked_again; /* the rules were, with this address; else the first decision holds for it */
    struct explained walk;
};

struct forecast {
    const struct listener *listener;
    const struct policy *policy;
    struct msg *msg; /* NULL: the head was not read */
    struct target_uri uri;
    bool parsed;       /* uri is right */
    struct slice user; /* the identity of whom was asked; p NULL: nobody */
    enum forecast_by by;
    enum fault fault;                /* FAULT_NONE: it would be passed on, or answered (OWN) */
    struct policy_decision decision; /* on what the request shows */
    struct explained walk;
    bool looked_up; /* else the addresses are given, or the host is one */
    enum fault lookup;
    struct forecast_address address[DNS_ADDRESSES];
    u32 naddresses;
    /* What was said then, of NAME or ANSWER; whatever it allows decides nothing anew. */
    struct policy_decision further;
    struct explained further_walk; /* of NAME */
    /* What goes into the log: of the address that is dialled first, or of the first refused. */
    const struct policy_decision *last;
    const struct forecast_address *dialled; /* NULL: none */
};

/* The listener of that name, or, with an empty one, the first of mode forward; NULL: there is none.
 */
const struct listener *forecast_listener(const struct snapshot *s, struct slice name);
/* The listener must be of mode forward. What *v points to is in the arena or as old as s. */
void forecast_make(const struct snapshot *s, const struct listener *l,
                   const struct forecast_request *r, struct arena *a, struct forecast *v);

/* The parent that the request goes through; empty: none. */
struct slice forecast_via(const struct forecast *f);

/* The answer of the proxy itself, when v->fault says that there is one. */
struct forecast_answer {
    u16 status;
    struct slice location; /* empty: none */
    struct slice type, page;
};
void forecast_answer(const struct forecast *v, struct arena *a, struct forecast_answer *out);

#endif
