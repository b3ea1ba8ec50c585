/*
 * How the patterns that may match a subject are found without running them all. Most hang on texts.
 * The others are vectorscan's, and what it takes to compile them is the hard thing: milliseconds
 * for each pattern, growing faster than their number. So it gets the rare part of a pattern where
 * there is one, and the patterns in several databases.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "filters/regex_texts.h"
#include "filters/regexset_inside.h"
#include "filters/url_samples.h"

enum {
    SHORTEST_TEXT = 4,
    SHARED_TEXT = 16,    /* so many patterns may hang on one text */
    ALWAYS_AT_MOST = 8,  /* fewer patterns without a text are run without vectorscan */
    PER_DATABASE = 250,  /* of 10,000 patterns; at 1,000 compiling takes half as long again */
    VECTOR_WIDEST = 128, /* bytes that match at least: x{1000} would compile for seconds */
};

/* Too short, or in a URL of everybody's: it would be found everywhere. */
static bool tells_little(struct slice text)
{
    for (unsigned i = 0; i < url_samples_n; i++)
        if (memmem(url_samples[i].p, url_samples[i].n, text.p, text.n))
            return true;
    return text.n < SHORTEST_TEXT;
}

/* A text or a part of some pattern. */
struct print {
    u64 print;
    u32 index; /* of the pattern */
};

struct prints {
    struct print *print;
    size_t n, room;
    u32 index; /* of whom they are now */
    bool failed;
};

static int by_print(const void *x, const void *y)
{
    const struct print *a = x, *b = y;
    return (a->print > b->print) - (a->print < b->print);
}

static void note_print(void *ctx, struct slice text)
{
    struct prints *p = ctx;
    if (p->n == p->room) {
        size_t room = p->room ? 2 * p->room : 256;
        void *more = realloc(p->print, room * sizeof *p->print);
        p->failed |= more == NULL;
        if (more == NULL)
            return;
        p->print = more;
        p->room = room;
    }
    p->print[p->n++] = (struct print){ hash64(hash_process_key(), text.p, text.n), p->index };
}

/* Calls `shared` for each pattern with a print that more than `most` have. */
static void find_shared(struct regexset *s, struct prints *p, size_t most,
                        void (*shared)(struct regex *r))
{
    if (p->n)
        qsort(p->print, p->n, sizeof *p->print, by_print);
    for (size_t from = 0, to; from < p->n; from = to) {
        for (to = from + 1; to < p->n && p->print[to].print == p->print[from].print;)
            to++;
        for (size_t i = from; to - from > most && i < to; i++)
            shared(&s->regex[p->print[i].index]);
    }
}

static void without_text(struct regex *r)
{
    r->by_text = false;
}

/* A text that too many patterns share would run them all where it occurs. False: no memory. */
static bool choose_texts(struct regexset *s)
{
    char room[REGEX_LONGEST];
    struct prints p = { .n = 0 };
    for (; p.index < s->n; p.index++)
        s->regex[p.index].by_text =
            regex_texts(s->regex[p.index].pattern, tells_little, room, note_print, &p);
    find_shared(s, &p, SHARED_TEXT, without_text);
    free(p.print);
    return !p.failed;
}

struct adding {
    struct regexset *s;
    u32 index;
    bool failed;
};

static void add_text(void *ctx, struct slice text)
{
    struct adding *a = ctx;
    a->failed |= !literalset_add(&a->s->by_text, text, true, a->index + 1, false);
}

static bool build_texts(struct regexset *s)
{
    char room[REGEX_LONGEST];
    struct adding a = { .s = s };
    if (!choose_texts(s))
        return false;
    for (; a.index < s->n; a.index++)
        if (s->regex[a.index].by_text)
            (void)regex_texts(s->regex[a.index].pattern, tells_little, room, add_text, &a);
    return !a.failed && literalset_build(&s->by_text);
}

static void show_whole(struct regex *r)
{
    r->shown = r->pattern.p;
}

/* Vectorscan takes a fifth of the time for a part without repetitions and alternations. It has to
 * be rare: with enough of plain characters, in no URL of everybody's, and few patterns' own. */
static struct slice rare_core(const struct regex *r)
{
    unsigned plain, hits = 0;
    char why[REGEX_WHY];
    struct slice core = regex_core(r->pattern, &plain);
    pcre2_code *code = plain < SHORTEST_TEXT ? NULL : regexset_compile(core, r->caseless, why);
    if (code == NULL)
        return SLICE("");
    hits = regexset_sample_hits(code);
    pcre2_code_free(code);
    return hits ? SLICE("") : core;
}

static void choose_shown(struct regexset *s, const u32 *index, size_t n)
{
    struct prints p = { .n = 0 };
    for (size_t i = 0; i < n; i++) {
        struct regex *r = &s->regex[index[i]];
        struct slice core = rare_core(r);
        show_whole(r);
        if (core.n == 0)
            continue;
        r->shown = arena_copy(&s->texts, core).p;
        p.index = index[i];
        note_print(&p, core);
    }
    find_shared(s, &p, SHARED_TEXT, show_whole);
    free(p.print);
}

/* One database of n patterns, given by index. False: vectorscan does not take *bad of them. */
static bool build_database(struct regexset *s, const u32 *index, size_t n, size_t *bad)
{
    const char **text = must_alloc(n * sizeof *text);
    unsigned *flags = must_alloc(n * sizeof *flags);
    for (size_t i = 0; i < n; i++) {
        const struct regex *r = &s->regex[index[i]];
        text[i] = r->shown;
        flags[i] = HS_FLAG_PREFILTER | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY |
                   (r->caseless ? HS_FLAG_CASELESS : 0);
    }
    hs_compile_error_t *error = NULL;
    hs_database_t *database = NULL;
    *bad = n;
    bool ok = hs_compile_multi(text, flags, index, (unsigned)n, HS_MODE_BLOCK, NULL, &database,
                               &error) == HS_SUCCESS;
    if (ok)
        s->database[s->ndatabases++] = database;
    else if (error->expression >= 0)
        *bad = (size_t)error->expression;
    if (error)
        hs_free_compile_error(error);
    free(text);
    free(flags);
    return ok;
}

static bool takes_pattern(const struct regex *r)
{
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    bool nul = memchr(r->pattern.p, 0, r->pattern.n) != NULL; /* it takes C strings */
    bool ok = !nul && hs_expression_info(r->shown,
                                         HS_FLAG_PREFILTER | HS_FLAG_ALLOWEMPTY |
                                             (r->caseless ? HS_FLAG_CASELESS : 0),
                                         &info, &error) == HS_SUCCESS;
    ok = ok && info->min_width <= VECTOR_WIDEST;
    free(info);
    if (error)
        hs_free_compile_error(error);
    return ok;
}

/* What vectorscan refuses at last, alone or as a whole, is always run. */
static void build_databases(struct regexset *s, u32 *index, size_t n)
{
    s->database = must_alloc((n / PER_DATABASE + 1) * sizeof(hs_database_t *));
    for (size_t from = 0; from < n; from += PER_DATABASE) {
        u32 *some = index + from;
        size_t part = n - from < PER_DATABASE ? n - from : PER_DATABASE, bad;
        while (part > 0 && !build_database(s, some, part, &bad)) {
            if (bad == part) {
                memcpy(s->always + s->nalways, some, part * sizeof *some);
                s->nalways += part;
                break;
            }
            s->always[s->nalways++] = some[bad];
            memmove(some + bad, some + bad + 1, (part - bad - 1) * sizeof *some);
            part--;
        }
    }
}

static int by_index(const void *x, const void *y)
{
    const u32 *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Patterns without a text: to vectorscan when there are many. */
static void build_rest(struct regexset *s)
{
    u32 *index = must_alloc((s->n + 1) * sizeof *index);
    size_t n = 0;
    s->always = must_alloc((s->n + 1) * sizeof *s->always);
    for (size_t i = 0; i < s->n; i++)
        if (!s->regex[i].by_text)
            index[n++] = (u32)i;
    if (n <= ALWAYS_AT_MOST) {
        memcpy(s->always, index, n * sizeof *index);
        s->nalways = n;
    } else {
        size_t taken = 0;
        choose_shown(s, index, n);
        for (size_t i = 0; i < n; i++) {
            if (takes_pattern(&s->regex[index[i]]))
                index[taken++] = index[i];
            else
                s->always[s->nalways++] = index[i];
        }
        build_databases(s, index, taken);
        qsort(s->always, s->nalways, sizeof *s->always, by_index);
    }
    free(index);
}

bool regexset_prepare(struct regexset *s)
{
    if (!build_texts(s))
        return false;
    build_rest(s);
    return true;
}
