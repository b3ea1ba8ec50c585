/*
 * One condition of a rule, and what it is evaluated against. A kind of condition is a row of
 * conditions.tbl with three functions: one makes its data from the configuration, one says in
 * advance for which requests it never holds, one says whether it holds. A new kind is a row and a
 * file, the engine does not change.
 */
#ifndef POLICY_CONDITION_H
#define POLICY_CONDITION_H

#include "base/arena.h"
#include "config/tree.h"
#include "filters/addrclass.h"
#include "filters/hostset.h"
#include "filters/match.h"
#include "filters/pattern.h"
#include "policy/policy.h"

enum {
    PATH_LONGEST = 16384,   /* with the query */
    URL_HEAD = 8 + 256 + 8, /* "https://" host ":65535", of which brackets */
};

/* The two forms of a path (http/uri.h); rules with a path are tried with each. */
enum path_form { FORM_NORMAL, FORM_FOLDED, FORMS };

/* What a rule may be for at all, by its conditions: a clear bit is a certain no. A question has the
 * same with its own bits only, so that most rules are passed over in three instructions and a
 * branch instead of 80 instructions of conditions (of twenty, on a warm exchange, fifteen are). */
enum trait {
    TRAIT_NAME = 1, /* the host is a name, … */
    TRAIT_LITERAL = 2,
    TRAIT_PATH = 4, /* the path is shown, … */
    TRAIT_TUNNEL = 8,
    TRAIT_REQUEST = 16, /* asked for the request, … */
    TRAIT_ANSWER = 32,  /* or for the head of the answer */
    TRAIT_DIRECT = 64,  /* a name that is looked up here, by no parent */
};
struct gate {
    u64 ports;   /* bit port % 64 */
    u32 methods; /* bit per enum method */
    u32 traits;
};

static inline bool gate_shut(const struct gate *rule, const struct gate *question)
{
    return (rule->ports & question->ports) == 0 || (rule->methods & question->methods) == 0 ||
           (question->traits & ~rule->traits) != 0;
}

/* The state of one decision. What is costly is made when the first condition asks for it and kept
 * for the rest of the rules. */
struct evaluation {
    const struct policy_question *q;
    struct gate gate;
    const struct addr *address; /* the destination, or the literal host; NULL: not known (yet) */
    bool address_used;          /* the address has made a difference so far */
    bool class_known, prints_known, paths_known;
    bool paths_unsafe;                        /* too long: no form exists */
    bool paths_equal;                         /* both forms are the same text */
    bool urls_known, urls_unsafe, urls_equal; /* the same of URLs */
    bool exhausted;    /* set by a condition of the rule whose pattern came to its limits */
    bool form_matters; /* set by a condition that may say something else for another form */
    struct policy_listed listed; /* set by a condition of the rule that found it in a list */
    struct slice matched; /* with it: the part of name or URL, in the form under trial; or empty */
    enum addr_class class;
    enum path_form form; /* the one under trial */
    struct slice path[FORMS];
    struct slice url[FORMS]; /* its path is path[], in the same place */
    struct host_prints prints;
    char area[FORMS][URL_HEAD + PATH_LONGEST]; /* never touched unless a rule asks for a path */
};

/* Each at most once per decision. False when there is no form (unsafe). */
enum addr_class evaluation_class(struct evaluation *e);
bool evaluation_paths(struct evaluation *e);
/* http://HOST/PATH?QUERY with the port unless it is 80; of CONNECT https://HOST/, unless 443. A
 * query has the two forms as well: unreserved characters decoded, and everything once. */
bool evaluation_urls(struct evaluation *e);
/* pattern_find, and notes when it came to its limits. */
enum match evaluation_search(struct evaluation *e, const struct pattern *p, struct slice text);
static inline const struct host_prints *evaluation_prints(struct evaluation *e)
{
    if (!e->prints_known) {
        host_prints(&e->prints, (struct slice){ e->q->host->name, e->q->host->len });
        e->prints_known = true;
    }
    return &e->prints;
}

struct condition_kind {
    const char *name;
    /* The condition's data, in the arena. The node is right by the schema. */
    const void *(*make)(const struct node *n, struct arena *a);
    /* Clears what the condition, without `not`, never holds for. */
    void (*narrow)(const void *data, struct gate *g);
    enum match (*holds)(const void *data, struct evaluation *e);
    bool on_answer; /* it looks at the answer, and so does a rule with it */
};

enum condition_id {
#define CONDITION(name) CONDITION_##name,
#include "policy/conditions.tbl"
#undef CONDITION
    CONDITION_COUNT
};

/* Of a row in condition_rows.tbl; 0 is no condition's. */
#define CONDITION_TAG(id) ((u8)((id) + 1))

extern const struct condition_kind condition_kinds[CONDITION_COUNT];

#define CONDITION(name)                                                                            \
    const void *condition_##name##_make(const struct node *n, struct arena *a);                    \
    void condition_##name##_narrow(const void *data, struct gate *g);                              \
    enum match condition_##name##_holds(const void *data, struct evaluation *e);
#include "policy/conditions.tbl"
#undef CONDITION

#endif
