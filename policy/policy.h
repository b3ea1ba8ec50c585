/*
 * Who may reach what: the rules of one `policy` block, asked once per exchange and again per
 * address that its name resolves to. The engine sees a question and gives a decision; it knows no
 * exchange, no socket and no message, so every sentence of the manual about rules is a row of a
 * unit test.
 *
 * How to ask: first without destination. ALLOW with address_free needs only policy_class_allowed
 * for each address; otherwise, and after NEEDS_ADDRESS, ask again with each address as destination,
 * as if it were the only one. Only an address that was allowed so may be dialled or taken from a
 * pool. A literal host is judged at once. A name that a rule sends through a parent has no address
 * here: that decision is free of addresses, and the parent's own is nobody's question.
 *
 * A policy is immutable and lives in the arena it was compiled into; any thread may ask.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/fault.h"
#include "http/token.h"
#include "http/uri.h"

struct cache_rule;
struct edits;
struct list_slot;
struct policy;
struct policy_rule;

/* What the host that is asked about is worth: told by a client that knows the proxy, and so where
 * it gets to; or, of a client that was on its way to an address, a name that leads there; or that
 * address itself, because the name that it told does not, or because it told none. */
enum name_state { NAME_TOLD, NAME_CONFIRMED, NAME_UNCONFIRMED, NAME_ABSENT, NAME_STATES };
extern const char *const name_state_words[NAME_STATES]; /* of TOLD: NULL */

struct policy_question {
    struct addr client;
    struct slice user; /* an identity (policy/users.h); p NULL: nobody has proved to be anybody */
    bool connect;      /* CONNECT: connect_ports instead of http_ports */
    bool address_unknown;                /* no address will ever be known: a parent resolves */
    u8 name;                             /* enum name_state */
    bool tls, sni_absent, sni_encrypted; /* but for TOLD: it begins with a ClientHello, … */
    enum method method;
    struct slice method_text; /* for a method without a number */
    const struct host *host;  /* canonical; never NULL */
    u16 port;
    struct slice path;              /* raw, without query; p NULL: not shown (CONNECT) */
    struct slice query;             /* raw, without '?'; p NULL: there is none */
    const struct msg *request;      /* as received, whatever was edited since; NULL: not shown */
    const struct msg *answer;       /* its head, for policy_judge; NULL: for policy_decide */
    u64 now_s;                      /* since 1970; 0: the clock says */
    const struct addr *destination; /* the address under judgement; NULL: not resolved yet */
    unsigned reader;                /* of lists: the number of the worker (filters/list_slot.h) */
};

/* The entry of a list by which a rule matched. The texts but for `list` are the list's: they are
 * gone when its content is exchanged, at the earliest after this turn of the worker's loop. */
struct policy_listed {
    struct slice list; /* empty: no list was needed */
    struct slice category, file;
    u32 line;
};

enum policy_action { POLICY_ALLOW, POLICY_DENY, POLICY_NEEDS_ADDRESS };

struct policy_decision {
    enum policy_action action;
    const struct policy_rule *rule; /* that decided; NULL: the default or a port check */
    enum fault fault;               /* why, for DENY; else FAULT_NONE */
    u8 reach;                       /* CLASS_BIT of what is allowed beyond public; ALLOW only */
    bool exhausted;                 /* a pattern came to its limits on the way */
    bool address_free;              /* every address gets this decision, but for its class */
    struct slice rule_name; /* for the log: the rule, "default", "connect-ports", "http-ports" */
    struct slice reason;    /* the text of the rule or of `default deny`, else empty */
    struct policy_listed listed;
    const struct policy_rule
        *shadow; /* the first in shadow mode that would have decided; or NULL */
};

/* `clients`: may this address ask at all? */
bool policy_client_allowed(const struct policy *p, const struct addr *client);

/* Some 100 to 200 ns for twenty rules by host that do not match; no allocation, 34 kB of stack. */
void policy_decide(const struct policy *p, const struct policy_question *q,
                   struct policy_decision *d);

/* Has it rules that look at the answer? */
bool policy_judges(const struct policy *p);
/* Asks those only, with `answer` and the address that it came from: ALLOW, with the rule if one
 * decided, or DENY. */
void policy_judge(const struct policy *p, const struct policy_question *q,
                  struct policy_decision *d);
/* Gives the conditions their lists: `find` is called with each name that occurs. Until then their
 * lists are unknown. Once, before any question. */
void policy_bind_lists(struct policy *p, struct arena *a,
                       const struct list_slot *(*find)(void *ctx, struct slice name), void *ctx);

/* May an allow with this reach lead to the address? On false *why is FAULT_destination_… */
bool policy_class_allowed(u8 reach, const struct addr *a, enum fault *why);

/* What is asked of the name in a tunnel's ClientHello. MATCH: where it is another one than that of
 * the target, a tunnel to it has to be allowed as well; REQUIRE: that, and that there is one;
 * IGNORE: nothing. */
enum policy_sni { SNI_MATCH, SNI_REQUIRE, SNI_IGNORE };
enum policy_sni policy_sni(const struct policy *p);

/* `other tunnel`: what is neither HTTP nor TLS may pass where clients are intercepted. */
bool policy_other(const struct policy *p);

struct slice policy_name(const struct policy *p);
/* `contact`, and the template of `error-page`; empty: none. */
struct slice policy_contact(const struct policy *p);
struct slice policy_page(const struct policy *p);
/* `grace`, in ms. */
u32 policy_grace(const struct policy *p);
/* Rules in order, 0 … policy_rules(p) - 1, for counters and listings. */
unsigned policy_rules(const struct policy *p);
const struct policy_rule *policy_rule_at(const struct policy *p, unsigned i);
struct slice policy_rule_name(const struct policy_rule *r);
unsigned policy_rule_number(const struct policy *p, const struct policy_rule *r);
/* Whose name a decision has given; NULL: no rule's, such as that of the default. */
const struct policy_rule *policy_rule_named(const struct policy *p, struct slice name);

/* What a rule that denies answers: texts live as long as the policy. */
struct policy_answer {
    u16 status;            /* 0: that of the fault */
    struct slice page;     /* a template; empty: that of the policy */
    struct slice location; /* empty: none */
};
struct policy_answer policy_rule_answer(const struct policy_rule *r);
/* Does any rule edit fields? What one that allowed edits; NULL: nothing. */
bool policy_edits(const struct policy *p);
const struct edits *policy_rule_edits(const struct policy_rule *r, bool response);
/* Does any rule say something about the cache? What one that allowed says; NULL: nothing. */
bool policy_steers_cache(const struct policy *p);
const struct cache_rule *policy_rule_cache(const struct policy_rule *r);
/* Does any rule lead through a parent? */
bool policy_has_parents(const struct policy *p);
/* AF_INET or AF_INET6: the family to try first; 0: it does not say. */
sa_family_t policy_rule_prefers(const struct policy_rule *r);

#endif
