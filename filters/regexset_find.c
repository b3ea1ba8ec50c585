/*
 * Candidates are gathered first and run in their order, so that the answer does not depend on how
 * they were found. Time is watched over all of them: each has its limit, but thousands of patterns
 * below their limits could hold a worker just as long.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "filters/regexset_inside.h"

enum {
    DEPTH_LIMIT = 1000, /* of the interpreter; the JIT has its stack */
    HEAP_LIMIT_KB = 1024,
    JIT_STACK_FROM = 32 << 10,
    JIT_STACK_TO = 256 << 10,
    CLOCK_EVERY = 16, /* matches between looks at the clock */
};

struct regex_scratch {
    hs_scratch_t *hs;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    u32 *candidate;
    size_t room;
};

struct regex_scratch *regex_scratch_new(void)
{
    struct regex_scratch *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->data = pcre2_match_data_create(1, NULL);
    r->context = pcre2_match_context_create(NULL);
    r->stack = pcre2_jit_stack_create(JIT_STACK_FROM, JIT_STACK_TO, NULL);
    if (!r->data || !r->context || !r->stack) {
        regex_scratch_free(r);
        return NULL;
    }
    pcre2_set_match_limit(r->context, REGEX_MATCH_LIMIT);
    pcre2_set_depth_limit(r->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(r->context, HEAP_LIMIT_KB);
    pcre2_jit_stack_assign(r->context, NULL, r->stack);
    return r;
}

void regex_scratch_free(struct regex_scratch *r)
{
    if (r == NULL)
        return;
    hs_free_scratch(r->hs);
    pcre2_match_data_free(r->data);
    pcre2_match_context_free(r->context);
    pcre2_jit_stack_free(r->stack);
    free(r->candidate);
    free(r);
}

static bool fit_candidates(struct regex_scratch *r, size_t n)
{
    u32 *more = n > r->room ? realloc(r->candidate, n * sizeof *more) : r->candidate;
    if (more == NULL && n > 0)
        return false;
    r->candidate = more;
    r->room = n > r->room ? n : r->room;
    return true;
}

bool regex_scratch_fit(struct regex_scratch *r, const struct regexset *s)
{
    if (!fit_candidates(r, 2 * s->n))
        return false;
    for (size_t i = 0; i < s->ndatabases; i++)
        if (hs_alloc_scratch(s->database[i], &r->hs) != HS_SUCCESS)
            return false;
    return true;
}

/* ---- candidates ---- */

struct gathering {
    struct regex_scratch *r;
    const struct regexset *s;
    const struct places *in;
    size_t n;
};

static int by_index(const void *x, const void *y)
{
    const u32 *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static void sort_candidates(struct gathering *g)
{
    size_t to = 0;
    u32 *c = g->r->candidate;
    if (g->n > 1)
        qsort(c, g->n, sizeof *c, by_index);
    for (size_t i = 0; i < g->n; i++)
        if (to == 0 || c[i] != c[to - 1])
            c[to++] = c[i];
    g->n = to;
}

/* A text may occur often: what fills the room is then the same patterns again and again. There is
 * room for twice as many as there are, so at least half is free after sorting. */
static void gather(struct gathering *g, u32 index)
{
    if (!places_have(g->in, g->s->regex[index].place))
        return;
    if (g->n && g->r->candidate[g->n - 1] == index)
        return;
    if (g->n == g->r->room)
        sort_candidates(g);
    g->r->candidate[g->n++] = index;
}

static bool gather_text(void *ctx, struct literalset_hit hit)
{
    gather(ctx, hit.place - 1);
    return false;
}

static int gather_vector(unsigned id, unsigned long long from, unsigned long long to,
                         unsigned flags, void *ctx)
{
    (void)from;
    (void)to;
    (void)flags;
    gather(ctx, id);
    return 0;
}

static bool gather_all(struct gathering *g, struct slice subject)
{
    for (size_t i = 0; i < g->s->nalways; i++)
        gather(g, g->s->always[i]);
    literalset_scan(&g->s->by_text, subject, gather_text, g);
    for (size_t i = 0; i < g->s->ndatabases; i++) {
        hs_database_t *db = g->s->database[i];
        const char *p = subject.n ? subject.p : "";
        hs_error_t e = hs_scan(db, p, (unsigned)subject.n, 0, g->r->hs, gather_vector, g);
        if (e == HS_INVALID || e == HS_SCRATCH_IN_USE) /* the scratch was never fitted */
            e = regex_scratch_fit(g->r, g->s)
                    ? hs_scan(db, p, (unsigned)subject.n, 0, g->r->hs, gather_vector, g)
                    : HS_NOMEM;
        if (e != HS_SUCCESS)
            return false;
    }
    sort_candidates(g);
    return true;
}

/* ---- the decision ---- */

static enum regex_answer run(const struct regex *x, struct regex_scratch *r, struct slice subject,
                             struct regexset_hit *hit)
{
    const char *p = subject.n ? subject.p : "";
    int rc = pcre2_match(x->code, (PCRE2_SPTR)p, subject.n, 0, 0, r->data, r->context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return REGEX_NO;
    *hit = (struct regexset_hit){ .place = x->place, .pattern = x->pattern };
    if (rc < 0)
        return REGEX_EXHAUSTED;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(r->data);
    hit->from = at[0];
    hit->to = at[1];
    return REGEX_YES;
}

enum regex_answer regexset_find(const struct regexset *s, struct regex_scratch *r,
                                struct slice subject, const struct places *in,
                                struct regexset_hit *hit)
{
    if (s == NULL || s->n == 0)
        return REGEX_NO;
    struct gathering g = { r, s, in, 0 };
    *hit = (struct regexset_hit){ 0 };
    if (!fit_candidates(r, 2 * s->n) || !gather_all(&g, subject))
        return REGEX_EXHAUSTED;
    u64 until = 0;
    bool exhausted = false;
    for (size_t i = 0; i < g.n; i++) {
        struct regexset_hit one;
        const struct regex *x = &s->regex[r->candidate[i]];
        enum regex_answer answer = run(x, r, subject, &one);
        if (answer == REGEX_YES || (answer == REGEX_EXHAUSTED && !exhausted))
            *hit = one;
        if (answer == REGEX_YES)
            return REGEX_YES;
        exhausted = exhausted || answer == REGEX_EXHAUSTED;
        if (g.n <= CLOCK_EVERY || (i % CLOCK_EVERY && answer == REGEX_NO))
            continue;
        u64 now = clock_us(CLOCK_MONOTONIC);
        until = until ? until : now + REGEX_MAY_TAKE_US;
        if (now > until) {
            *hit = exhausted ? *hit
                             : (struct regexset_hit){ .place = x->place, .pattern = x->pattern };
            return REGEX_EXHAUSTED;
        }
    }
    return exhausted ? REGEX_EXHAUSTED : REGEX_NO;
}
