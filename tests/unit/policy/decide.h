/* For the tests: rows of requests and what a policy decides about them. "allow RULE",
 * "deny RULE FAULT" or "address RULE" (a look-up is needed first). */
#ifndef TESTS_POLICY_DECIDE_H
#define TESTS_POLICY_DECIDE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "filters/addrclass.h"
#include "tests/unit/policy/policy_text.h"

/* A row names only what its case is about. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct ask {
    const char *method, *host;
    u16 port;
    const char *want;
    const char *path;  /* NULL: "/", but for CONNECT: not shown */
    const char *from;  /* NULL: 127.0.0.1 */
    const char *at;    /* the destination address */
    bool parent;       /* the name is resolved by a parent */
    size_t path_bytes; /* > 0: the path is made this long with 'a' */
    const char *query;
    const char *fields; /* of the request, each with CRLF */
    u64 now;
    u16 status;         /* > 0: an answer is judged, … */
    const char *answer; /* with these fields, … */
    i64 length;         /* and this length; below 0: in chunks */
    const char *user;   /* an identity, `|` for each NUL; NULL: nobody */
};

/* The fields as the parser would leave them. */
static inline void put_fields(struct msg *m, const char *fields)
{
    msg_init(m, NULL);
    m->text = fields;
    for (const char *at = fields; at && *at;) {
        const char *colon = strchr(at, ':'), *end = strstr(at, "\r\n");
        enum token t = token_find(slice_range(at, colon));
        m->present[t >> 6] |= 1ull << (t & 63);
        m->fields[m->nfields++] =
            (struct field){ (u16)t, (u16)(colon - at), (u32)(at - fields),
                            (u32)(colon + 2 - fields), (u32)(end - colon - 2) };
        at = end + 2;
    }
}

static inline struct addr ip(const char *text)
{
    struct addr a;
    if (!addr_parse(slice_of(text), &a))
        fail_msg("%s", text);
    return a;
}

/* A question, and what it points to. */
struct question {
    struct host host;
    struct addr at;
    char user[64];
    struct msg request, answer;
    struct policy_question q;
};

static inline const struct policy_question *question_of(const struct ask *ask, struct question *r)
{
    static char longer[40000];
    if (host_parse(slice_of(ask->host), &r->host) != FAULT_NONE)
        fail_msg("%s", ask->host);
    r->at = ip(ask->at ? ask->at : "::");
    size_t named = ask->user ? strlen(ask->user) : 0;
    for (size_t i = 0; i < named; i++)
        r->user[i] = ask->user[i] == '|' ? 0 : ask->user[i];
    struct policy_question *q = &r->q;
    *q = (struct policy_question){
        .client = ip(ask->from ? ask->from : "127.0.0.1"),
        .user = { ask->user ? r->user : NULL, named },
        .connect = strcmp(ask->method, "CONNECT") == 0,
        .address_unknown = ask->parent,
        .method = method_find(slice_of(ask->method)),
        .method_text = slice_of(ask->method),
        .host = &r->host,
        .port = ask->port,
        .path = slice_of(ask->path),
        .query = slice_of(ask->query),
        .request = ask->fields ? &r->request : NULL,
        .now_s = ask->now,
        .destination = ask->at ? &r->at : NULL,
    };
    put_fields(&r->request, ask->fields);
    if (!q->connect && ask->path == NULL)
        q->path = SLICE("/");
    if (ask->path_bytes) {
        memset(longer, 'a', sizeof longer);
        memcpy(longer, ask->path, strlen(ask->path));
        q->path = (struct slice){ longer, ask->path_bytes };
    }
    if (ask->status) {
        put_fields(&r->answer, ask->answer);
        r->answer.response = true;
        r->answer.status = ask->status;
        r->answer.body = ask->length < 0 ? BODY_STREAMED : BODY_LENGTH;
        r->answer.body_len = ask->length < 0 ? 0 : (u64)ask->length;
        q->answer = &r->answer;
    }
    return q;
}

static inline void decide(const struct policy *p, const struct ask *ask, struct policy_decision *d)
{
    struct question room;
    const struct policy_question *q = question_of(ask, &room);
    if (q->answer)
        policy_judge(p, q, d);
    else
        policy_decide(p, q, d);
}

static inline void decide_rows(const char *text, const struct ask *rows, size_t n)
{
    struct policy_text p = policy_from(text);
    if (p.policy == NULL)
        fail_msg("%s", p.messages);
    for (size_t i = 0; i < n; i++) {
        struct policy_decision d;
        char got[200];
        decide(p.policy, &rows[i], &d);
        static const char *const actions[] = { "allow", "deny", "address" };
        snprintf(got, sizeof got, "%s %.*s%s%s", actions[d.action], SLICE_FMT(d.rule_name),
                 d.fault ? " " : "", d.fault ? fault_info(d.fault)->token : "");
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("row %zu: %s %s:%u %s at %s: \"%s\" instead of \"%s\"", i, rows[i].method,
                     rows[i].host, rows[i].port, rows[i].path ? rows[i].path : "-",
                     rows[i].at ? rows[i].at : "-", got, rows[i].want);
        assert_int_equal(d.action == POLICY_DENY, d.fault != FAULT_NONE);
        if (d.action == POLICY_NEEDS_ADDRESS)
            assert_false(d.address_free);
        if (d.rule)
            assert_true(slice_eq(policy_rule_name(d.rule), d.rule_name));
    }
    policy_text_free(&p);
}

#define DECIDE(text, ...)                                                                          \
    do {                                                                                           \
        static const struct ask rows[] = { __VA_ARGS__ };                                          \
        decide_rows("policy p { " text " } parent up { }", rows, countof(rows));                   \
    } while (0)
#define RULES(text, ...)                                                                           \
    DECIDE("default deny; connect-ports any; http-ports any; rules {" text "}", __VA_ARGS__)

static inline int no_own_addresses(void **state)
{
    (void)state;
    addrclass_set_local(NULL, 0);
    return 0;
}

#endif
