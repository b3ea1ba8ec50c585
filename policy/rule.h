/* What a policy is made of, between the compiler (conf.c) and the engine (policy.c). */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include "base/cache_rule.h"
#include "filters/cidrset.h"
#include "filters/portset.h"
#include "policy/condition.h"
#include "policy/auth.h"
#include "policy/edits.h"
#include "policy/written.h"

struct condition {
    const struct condition_kind *kind;
    const void *data;
    bool negated;
};

enum prefer { PREFER_NOTHING, PREFER_V4, PREFER_V6 };

/* What a deny answers, beyond the rule's name. */
struct refusal_conf {
    struct slice text;     /* for the page; empty: none */
    struct slice page;     /* HTML instead of the usual page; empty: the usual one */
    struct slice location; /* of `redirect`; empty: it is a deny */
    u32 status;
    u8 moved; /* the place of the redirect's status among its words */
};

struct policy_rule {
    struct gate gate; /* of all conditions; first, as most rules are left at it */
    struct slice name;
    bool allow;
    bool on_answer;   /* is asked for answers, and not for requests */
    bool shadow;      /* is noted when it matches, and does not decide */
    u8 reach;         /* CLASS_BIT of each class an allow opens beyond public */
    u8 prefer;        /* enum prefer */
    struct slice via; /* the parent that an allow leads through; empty: none */
    struct refusal_conf refusal;
    const struct edits *request, *response; /* NULL: none */
    const struct cache_rule *cache;         /* NULL: none */
    u32 conditions;
    const struct condition *condition; /* in the order of conditions.tbl */
    struct position at;
    const struct written *written; /* each condition, in the same order */
};

struct zone;

struct policy {
    struct slice name;
    struct cidrset clients;
    struct policy_auth auth;
    struct portset connect_ports, http_ports;
    u32 grace; /* ms */
    u8 sni;    /* enum policy_sni */
    u8 other;  /* 1: `other tunnel` */
    bool default_allow;
    bool judges, edits, has_parents, steers_cache; /* some rule does */
    struct slice default_text;
    struct slice contact, page; /* for refusals; empty: nobody, and the usual one */
    struct position at, default_at;
    const struct zone *zone;        /* of `time` */
    const struct list_slot **lists; /* that no request is decided without */
    u32 nlists;
    u32 rules;
    const struct policy_rule *rule;
};

#endif
