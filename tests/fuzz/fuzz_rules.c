/*
 * What a request shows, against the conditions that read it: URL, path, query, fields, cookies, the
 * type of an answer, and files of time zones. Whatever the bytes are, a condition by which an allow
 * opens must be one by which a deny refuses: there is no request that passes both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/str.h"
#include "config/load.h"
#include "policy/conf.h"
#include "policy/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct schema_row rows[] = {
    { .key = "policy", .kind = ROW_NAMED, .children = policy_rows },
    { .key = NULL },
};

static const char *const conditions[] = {
    "url ~\"/(banner|ad)s?/\" ~\"[?&]id=[0-9]+(&|$)\";",
    "url ~\"(a+)+$\";",
    "not url ~\"ab\";",
    "path /a /a/b%2fc;",
    "not path /a;",
    "query a=b c d ~\"^[0-9]+$\";",
    "not query a;",
    "header a b ~\"^c\";",
    "not header cookie;",
    "cookie a=b c ~\"d\";",
    "to ~\"^a[0-9]*[.]\" b.example;",
    "type text/html image/* ~\"x$\";",
};

/* Each as a deny and as an allow. */
static struct arena arena;
static const struct policy *denies[countof(conditions)], *allows[countof(conditions)];

static const struct policy *compile(const char *action, const char *other, const char *condition)
{
    char text[512];
    struct tree tree;
    struct diags d;
    snprintf(text, sizeof text,
             "policy p { default %s; http-ports any; connect-ports any; rules { %s r { %s } } }",
             other, action, condition);
    diags_init(&d);
    must(config_load_text("fuzz", slice_of(text), false, &tree, &d) &&
         schema_check(&tree, rows, &d));
    const struct policy *p = policy_compile(node_child(&tree.root, "policy"), &arena);
    config_free(&tree);
    diags_free(&d);
    return p;
}

static void prepare(void)
{
    arena_init(&arena, 0);
    for (size_t i = 0; i < countof(conditions); i++) {
        denies[i] = compile("deny", "allow", conditions[i]);
        allows[i] = compile("allow", "deny", conditions[i]);
    }
}

static bool by_rule(const struct policy *p, const struct policy_question *q)
{
    struct policy_decision d;
    if (q->answer)
        policy_judge(p, q, &d);
    else
        policy_decide(p, q, &d);
    must(d.action != POLICY_NEEDS_ADDRESS);
    must(d.rule == NULL || slice_is(d.rule_name, "r"));
    return d.rule != NULL;
}

/* "Name: value" lines, as the parser would leave them. */
static void put_fields(struct msg *m, struct slice text)
{
    struct slice rest = text, line, name;
    msg_init(m, NULL);
    m->text = text.p;
    while (slice_cut(&rest, '\r', &line) && m->nfields < m->cap) {
        struct slice value = line;
        if (!slice_cut(&value, ':', &name) || value.p == NULL || name.n == 0)
            continue;
        enum token t = token_find(name);
        m->present[t >> 6] |= 1ull << (t & 63);
        m->fields[m->nfields++] = (struct field){ (u16)t, (u16)name.n, (u32)(name.p - text.p),
                                                  (u32)(value.p - text.p), (u32)value.n };
    }
    m->nreceived = m->nfields;
}

static void decide(struct slice text)
{
    struct slice host, path, query;
    struct host h;
    struct msg request, answer;
    struct addr client;
    if (!slice_cut(&text, '\n', &host) || !slice_cut(&text, '\n', &path) ||
        !slice_cut(&text, '\n', &query) || host_parse(host, &h) != FAULT_NONE || path.n == 0 ||
        path.p[0] != '/')
        return;
    must(addr_parse(SLICE("127.0.0.1"), &client));
    put_fields(&request, text);
    put_fields(&answer, text);
    answer.status = 200;
    struct policy_question q = { .client = client,
                                 .method = METHOD_GET,
                                 .host = &h,
                                 .port = 80,
                                 .path = path,
                                 .query = query,
                                 .request = &request };
    for (size_t i = 0; i < countof(conditions); i++) {
        q.answer = i + 1 == countof(conditions) ? &answer : NULL;
        if (by_rule(allows[i], &q))
            must(by_rule(denies[i], &q));
        else
            (void)by_rule(denies[i], &q);
    }
}

static void local_time(struct slice file)
{
    struct arena a;
    arena_init(&a, 0);
    const struct zone *z = zone_parse(&a, file);
    for (u64 t = 0; z && t < 8000000000; t += 123456789) {
        struct zone_time local = zone_local(z, t);
        must(local.weekday < 7 && local.minute < 24 * 60);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = { (const char *)data, n };
    if (denies[0] == NULL)
        prepare();
    if (slice_starts(text, SLICE("TZif")))
        local_time(text);
    else
        decide(text);
    return 0;
}
