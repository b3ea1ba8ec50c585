/*
 * Line by line, in one buffer: a line that does not fit is passed over and counted. What is kept
 * are the groups, of which there are no more than pairs of rules, and few examples of each.
 */
#include "log_diff.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "command.h"
#include "config/shown.h"
#include "forward/conf.h"
#include "log_line.h"
#include "offline.h"
#include "forecast.h"

enum { GROUPS = 4096, EXAMPLE = 200 };

enum decided { DECIDED_ALLOW, DECIDED_DENY, DECIDED_REDIRECT };

/* What one configuration says. */
struct said {
    enum decided verdict;
    const struct policy_rule *by; /* NULL: no rule's */
    struct slice name;
};

struct group {
    struct said before, after;
    char before_name[64], after_name[64];
    u64 n;
    char (*example)[EXAMPLE];
};

struct replay {
    const struct log_diff *what;
    struct offline before, after;
    struct group *group;
    u32 groups;
    u64 compared, differ, ungrouped, broken, other, long_lines, no_listener;
    struct arena arena; /* for one line */
    struct log_line line;
};

/* ---- one request ---- */

/* The listener of that name, or the only one. */
static const struct listener *listener_of(const struct snapshot *s, struct slice name)
{
    const struct listener *l = forecast_listener(s, name);
    const struct listener *first = forecast_listener(s, SLICE(""));
    for (u32 i = 0; l == NULL && first && i < s->nlisteners; i++)
        if (s->listeners[i].role == first->role && !slice_eq(s->listeners[i].name, first->name))
            return NULL;
    return l ? l : first;
}

static struct said ask(struct replay *r, const struct snapshot *s, const struct listener *l)
{
    const struct log_line *line = &r->line;
    struct forecast *f = arena_alloc(&r->arena, sizeof *f);
    struct forecast_request q = { .method = line->method,
                                  .target = { line->target, line->target_n },
                                  .fields = SLICE(""),
                                  .from = line->client,
                                  .user = line->user.n ? line->user : (struct slice){ NULL, 0 },
                                  .at_s = line->at_s,
                                  .given = &line->server,
                                  .ngiven = line->server.family != 0 };
    forecast_make(s, l, &q, &r->arena, f);
    const struct policy_rule *by = f->last->rule;
    bool sent = f->fault == FAULT_rule_denied && by && policy_rule_answer(by).location.n &&
                f->msg->method != METHOD_CONNECT;
    return (struct said){ sent                     ? DECIDED_REDIRECT
                          : f->fault == FAULT_NONE ? DECIDED_ALLOW
                                                   : DECIDED_DENY,
                          by,
                          f->last->rule_name.n ? f->last->rule_name
                                               : slice_of(fault_info(f->fault)->token) };
}

/* ---- groups ---- */

static bool same(const struct said *a, const struct said *b)
{
    return a->verdict == b->verdict && a->by == b->by && slice_eq(a->name, b->name);
}

static struct slice keep(char area[64], struct slice s)
{
    struct text t = text_in(area, 64);
    text_put(&t, s.p, s.n < 64 ? s.n : 64);
    return text_slice(&t);
}

/* NULL: there are too many. */
static struct group *group_of(struct replay *r, const struct said *before, const struct said *after)
{
    for (u32 i = 0; i < r->groups; i++)
        if (same(&r->group[i].before, before) && same(&r->group[i].after, after))
            return &r->group[i];
    if (r->groups == GROUPS)
        return NULL;
    struct group *g = &r->group[r->groups++];
    *g = (struct group){ .before = *before, .after = *after };
    g->before.name = keep(g->before_name, before->name);
    g->after.name = keep(g->after_name, after->name);
    g->example = must_zalloc((r->what->examples ? r->what->examples : 1) * sizeof *g->example);
    return g;
}

static void note_difference(struct replay *r, const struct said *before, const struct said *after)
{
    struct group *g = group_of(r, before, after);
    r->differ++;
    if (g == NULL) {
        r->ungrouped++;
        return;
    }
    if (g->n < r->what->examples) {
        char client[ADDR_TEXT];
        struct text t = text_in(client, sizeof client);
        addr_text(&t, &r->line.client);
        snprintf(g->example[g->n], EXAMPLE, "%.*s %.*s %.*s", SLICE_FMT(text_slice(&t)),
                 SLICE_FMT(r->line.method), (int)r->line.target_n, r->line.target);
    }
    g->n++;
}

static void replay_line(struct replay *r, struct slice text)
{
    enum log_line_is is = log_line_read(text, &r->line);
    r->broken += is == LOG_LINE_BROKEN;
    r->other += is == LOG_LINE_OTHER;
    if (is != LOG_LINE_REQUEST)
        return;
    const struct listener *b = listener_of(r->before.snapshot, r->line.listener),
                          *a = listener_of(r->after.snapshot, r->line.listener);
    if (a && b) {
        struct said before = ask(r, r->before.snapshot, b), after = ask(r, r->after.snapshot, a);
        r->compared++;
        if (before.verdict != after.verdict)
            note_difference(r, &before, &after);
    } else {
        r->no_listener++;
    }
    log_line_end(&r->line);
    arena_reset(&r->arena);
}

/* ---- the log ---- */

/* A line of at most LOG_LINE_MOST bytes; more are counted in *n and not kept. False: there is no
 * further line. */
static bool next_line(FILE *log, char *area, u64 *n)
{
    int c;
    for (*n = 0; (c = getc_unlocked(log)) != EOF && c != '\n'; ++*n)
        if (*n < LOG_LINE_MOST)
            area[*n] = (char)c;
    return c != EOF || *n;
}

static void replay_lines(struct replay *r, FILE *log)
{
    char *area = must_zalloc(LOG_LINE_MOST);
    u64 n;
    while (next_line(log, area, &n))
        if (n <= LOG_LINE_MOST)
            replay_line(r, (struct slice){ area, n });
        else
            r->long_lines++;
    free(area);
}

/* ---- the report ---- */

static void put_said(const struct said *s)
{
    static const char *const verdicts[] = { "allow", "deny", "redirect" };
    printf("%s by ", verdicts[s->verdict]);
    shown_put(stdout, s->name);
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return (x->n < y->n) - (x->n > y->n);
}

static void report_groups(struct replay *r)
{
    qsort(r->group, r->groups, sizeof *r->group, by_count);
    for (u32 i = 0; i < r->groups; i++) {
        const struct group *g = &r->group[i];
        put_said(&g->before);
        fputs(" -> ", stdout);
        put_said(&g->after);
        printf(": %llu request%s\n", (unsigned long long)g->n, g->n == 1 ? "" : "s");
        for (u64 k = 0; k < g->n && k < r->what->examples; k++) {
            fputs("  ", stdout);
            shown_put(stdout, slice_of(g->example[k]));
            putchar('\n');
        }
    }
}

static void report_count(u64 n, const char *what)
{
    if (n)
        printf("%s: %llu line%s\n", what, (unsigned long long)n, n == 1 ? "" : "s");
}

/* Rules that a log cannot tell of. */
static void report_unasked(const struct snapshot *s, const char *file)
{
    for (u32 i = 0; i < s->nlisteners; i++) {
        const struct listener *l = &s->listeners[i];
        if (l->role != forecast_listener(s, SLICE(""))->role ||
            (i && slice_eq(l[-1].name, l->name)))
            continue;
        const struct policy *p = forward_part_of(l)->policy;
        for (unsigned k = 0; k < policy_rules(p); k++) {
            const struct policy_rule *rule = policy_rule_at(p, k);
            if (policy_rule_judges(rule) || policy_rule_asks(rule, "header") ||
                policy_rule_asks(rule, "cookie"))
                printf("%s: the rule %.*s looks at what a log does not have, and matched nothing\n",
                       file, SLICE_FMT(policy_rule_name(rule)));
        }
    }
}

static void report(struct replay *r)
{
    report_groups(r);
    report_unasked(r->before.snapshot, r->what->before);
    report_unasked(r->after.snapshot, r->what->after);
    report_count(r->broken, "not of an access log in the format json");
    report_count(r->long_lines, "too long");
    report_count(r->other, "no request that could be asked again");
    report_count(r->no_listener, "of a listener that is not in both with mode forward");
    report_count(r->ungrouped, "of further groups");
    printf("%llu request%s compared, %llu %s decided otherwise\n", (unsigned long long)r->compared,
           r->compared == 1 ? "" : "s", (unsigned long long)r->differ,
           r->differ == 1 ? "is" : "are");
}

/* ---- all of it ---- */

static int complain(const char *path)
{
    fprintf(stderr, "proxyd diff: %s: %s\n", path, strerror(errno));
    return EXIT_FAILED;
}

static int run(struct replay *r)
{
    bool piped = strcmp(r->what->log, "-") == 0;
    FILE *log = piped ? stdin : fopen(r->what->log, "re");
    if (log == NULL)
        return complain(r->what->log);
    if (forecast_listener(r->before.snapshot, SLICE("")) == NULL ||
        forecast_listener(r->after.snapshot, SLICE("")) == NULL) {
        fputs("proxyd diff: both need a listener with \"mode forward\"\n", stderr);
        if (!piped)
            fclose(log);
        return EXIT_FAILED;
    }
    replay_lines(r, log);
    int code = ferror(log) ? complain(r->what->log) : EXIT_FINE;
    if (!piped)
        fclose(log);
    report(r);
    return code == EXIT_FINE && r->what->strict && r->differ ? EXIT_FAILED : code;
}

int log_diff_run(const struct log_diff *d)
{
    int code = EXIT_FAILED;
    struct replay *r = must_zalloc(sizeof *r); /* with room for a line */
    r->what = d;
    if (offline_open(d->before, &r->before)) {
        if (offline_open(d->after, &r->after)) {
            r->group = must_zalloc(GROUPS * sizeof *r->group);
            arena_init(&r->arena, 0);
            code = run(r);
            for (u32 i = 0; i < r->groups; i++)
                free(r->group[i].example);
            arena_free(&r->arena);
            free(r->group);
            offline_close(&r->after);
        }
        offline_close(&r->before);
    }
    free(r);
    return code;
}
