/*
 * A scripted resolver on a loopback port, UDP and TCP, in a thread of its own: for each name and
 * type a rule says what comes back, how late, how broken. Counts what it was asked.
 */
#ifndef TESTS_HELP_RESOLVER_H
#define TESTS_HELP_RESOLVER_H

#include "base/addr.h"

enum { TYPE_A = 1, TYPE_AAAA = 28 };

enum answer_kind {
    ANSWER,        /* the addresses, with rcode */
    ANSWER_DROP,   /* nothing at all */
    ANSWER_TC,     /* truncated over UDP, whole over TCP */
    ANSWER_NOISE,  /* garbage, a wrong id and a wrong question before the right answer */
    ANSWER_BROKEN, /* the right header and question, then bytes that are no records */
    ANSWER_CUT,    /* only the first half of the last record, without saying so */
    ANSWER_HEADER  /* FORMERR in a header with nothing behind it, not even the question */
};

enum { RCODE_FORMERR = 1, RCODE_SERVFAIL, RCODE_NXDOMAIN, RCODE_NOTIMP, RCODE_REFUSED };

struct rule {
    const char *name; /* without final dot */
    unsigned type;    /* 0: every type */
    enum answer_kind kind;
    unsigned rcode;
    /* To a question with an OPT record over UDP: an rcode and nothing else, or another kind. */
    unsigned edns_rcode;
    enum answer_kind edns_kind;
    const char *addresses; /* separated by blanks, those of the asked family are sent */
    const char *cname;     /* the addresses belong to it */
    u32 ttl, minimum;      /* minimum: of the SOA in an answer without addresses; 0: no SOA */
    u32 delay_ms;
    bool held;     /* it comes when resolver_hold lets it */
    unsigned many; /* this many more addresses 10.x.y.z or fd00::x */
};

struct resolver;

struct resolver *resolver_start(void);
void resolver_stop(struct resolver *r);
struct addr resolver_addr(const struct resolver *r);
/* Replaces the rule of the same name and type. Names without rule do not exist. */
void resolver_rule(struct resolver *r, const struct rule *rule);
/* How often (UDP and TCP); type 0: both. */
unsigned resolver_asked(struct resolver *r, const char *name, unsigned type);
unsigned resolver_tcp(struct resolver *r);
/* How often with an OPT record, whatever the name. */
unsigned resolver_edns(struct resolver *r);
/* Drops every question for a name that ends so. */
void resolver_silent_zone(struct resolver *r, const char *end);
/* Keeps back what rules with `held` answer, or sends it. */
void resolver_hold(struct resolver *r, bool hold);
/* Drops every question from now on, or answers again. */
void resolver_dead(struct resolver *r, bool dead);

/* Writes the answer of `rule` to the question in query[0, n); for tests and seeds. Returns its
 * length, 0: the question cannot be read. */
size_t resolver_answer(const struct rule *rule, const u8 *query, size_t n, u8 *out, size_t room);
/* A question for name. */
size_t resolver_question(const char *name, unsigned type, u8 *out);

#endif
