/*
 * Adding compiles a pattern by PCRE2, so that a bad line is reported with its reason; building adds
 * the JIT's code and prepares the two ways of finding candidates. Vectorscan takes time that grows
 * faster than the number of its patterns, so it gets them in several databases.
 */
#include "filters/regexset_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "filters/regex_shape.h"
#include "filters/url_samples.h"

enum {
    SHORTEST_TEXT = 4,
    SHARED_TEXT = 16,    /* so many patterns may hang on one text */
    ALWAYS_AT_MOST = 8,  /* fewer patterns without a text are run without vectorscan */
    PER_DATABASE = 250,  /* of 10,000 patterns; at 1,000 compiling takes half as long again */
    VECTOR_WIDEST = 128, /* bytes that match at least: x{1000} would compile for seconds */
    PATTERN_LONGEST = 4096,
};

struct regexset_builder {
    struct arena texts;
    struct regex *regex;
    size_t n, room;
};

/* ---- adding ---- */

static struct regexset_builder *builder_of(struct regexset_builder **b)
{
    if (*b == NULL && (*b = calloc(1, sizeof **b)) != NULL)
        arena_init(&(*b)->texts, 64 << 10);
    return *b;
}

static bool refuse(char why[REGEX_WHY], const char *text)
{
    snprintf(why, REGEX_WHY, "%s", text);
    return false;
}

static pcre2_code *compile(struct slice pattern, bool caseless, char why[REGEX_WHY])
{
    int error;
    PCRE2_SIZE at;
    u32 options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
                  (caseless ? PCRE2_CASELESS : 0);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &error, &at, NULL);
    if (code == NULL) {
        PCRE2_UCHAR text[96] = "";
        pcre2_get_error_message(error, text, sizeof text);
        snprintf(why, REGEX_WHY, "%s (at byte %zu)", (char *)text, (size_t)at + 1);
    }
    return code;
}

/* Does it match most of what anybody asks for? Limits that are reached on the way do not count:
 * they are reported later. */
static bool matches_the_world(const pcre2_code *code)
{
    unsigned hits = 0;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (data && context) {
        pcre2_set_match_limit(context, REGEX_MATCH_LIMIT);
        for (unsigned i = 0; i < url_samples_n; i++)
            hits += pcre2_match(code, (PCRE2_SPTR)url_samples[i].p, url_samples[i].n, 0, 0, data,
                                context) >= 0;
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return hits > url_samples_n / 2;
}

/* Too short, or in a URL of everybody's: it would be found everywhere. */
static bool tells_little(struct slice text)
{
    for (unsigned i = 0; i < url_samples_n; i++)
        if (memmem(url_samples[i].p, url_samples[i].n, text.p, text.n))
            return true;
    return text.n < SHORTEST_TEXT;
}

static u64 print_of_text(struct slice pattern)
{
    char text[PATTERN_LONGEST];
    size_t n = regex_required(pattern, tells_little, text);
    return n ? hash64(hash_process_key(), text, n) | 1 : 0;
}

bool regexset_add(struct regexset_builder **to, struct slice pattern, struct regex_flags flags,
                  u32 place, char why[REGEX_WHY])
{
    struct regexset_builder *b = builder_of(to);
    if (b == NULL)
        return refuse(why, "no memory");
    if (pattern.n == 0 || pattern.n > PATTERN_LONGEST)
        return refuse(why, pattern.n ? "longer than 4096 bytes" : "empty");
    if (slice_starts(pattern, SLICE("(*")))
        return refuse(why, "begins with an option of the engine");
    if (b->n == b->room) {
        size_t room = b->room ? 2 * b->room : 16;
        void *p = realloc(b->regex, room * sizeof *b->regex);
        if (p == NULL)
            return refuse(why, "no memory");
        b->regex = p;
        b->room = room;
    }
    pcre2_code *code = compile(pattern, flags.caseless, why);
    if (code == NULL)
        return false;
    if (flags.of_a_list && matches_the_world(code)) {
        pcre2_code_free(code);
        return refuse(why, "matches nearly every URL");
    }
    b->regex[b->n++] = (struct regex){
        code,         arena_copy(&b->texts, pattern), print_of_text(pattern), place, flags.caseless,
        flags.removes
    };
    return true;
}

void regexset_drop(struct regexset_builder **to)
{
    struct regexset_builder *b = *to;
    for (size_t i = 0; b && i < b->n; i++)
        pcre2_code_free(b->regex[i].code);
    if (b) {
        free(b->regex);
        arena_free(&b->texts);
    }
    free(b);
    *to = NULL;
}

/* ---- building ---- */

static int by_text_and_flags(const void *x, const void *y)
{
    const struct regex *a = *(struct regex *const *)x, *b = *(struct regex *const *)y;
    size_t n = a->pattern.n < b->pattern.n ? a->pattern.n : b->pattern.n;
    int order = memcmp(a->pattern.p, b->pattern.p, n);
    if (order || a->pattern.n != b->pattern.n)
        return order ? order : a->pattern.n < b->pattern.n ? -1 : 1;
    return a->caseless != b->caseless ? a->caseless - b->caseless : b->removes - a->removes;
}

/* What removes stands before what it removes. The rest keeps its order. */
static void remove_removed(struct regexset_builder *b)
{
    struct regex **order = must_alloc((b->n + 1) * sizeof(struct regex *)), *removing = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        order[i] = &b->regex[i];
    qsort(order, b->n, sizeof(struct regex *), by_text_and_flags);
    for (size_t i = 0; i < b->n; i++) {
        removing = order[i]->removes ? order[i] : removing;
        order[i]->removes = removing && slice_eq(removing->pattern, order[i]->pattern) &&
                            removing->caseless == order[i]->caseless;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (b->regex[i].removes)
            pcre2_code_free(b->regex[i].code);
        else
            b->regex[kept++] = b->regex[i];
    }
    b->n = kept;
    free(order);
}

static int by_print(const void *x, const void *y)
{
    const u64 *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* A text that too many patterns share would run them all where it occurs. */
static void forget_shared_texts(struct regexset *s)
{
    u64 *print = must_alloc((s->n + 1) * sizeof *print);
    for (size_t i = 0; i < s->n; i++)
        print[i] = s->regex[i].text_print;
    qsort(print, s->n, sizeof *print, by_print);
    for (size_t i = 0; i < s->n; i++) {
        size_t low = 0, high = s->n;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (print[middle] < s->regex[i].text_print)
                low = middle + 1;
            else
                high = middle;
        }
        if (low + SHARED_TEXT < s->n && print[low + SHARED_TEXT] == print[low])
            s->regex[i].text_print = 0;
    }
    free(print);
}

static bool build_texts(struct regexset *s)
{
    char text[PATTERN_LONGEST];
    for (size_t i = 0; i < s->n; i++) {
        if (s->regex[i].text_print == 0)
            continue;
        size_t n = regex_required(s->regex[i].pattern, tells_little, text);
        if (!literalset_add(&s->by_text, (struct slice){ text, n }, true, (u32)i + 1, false))
            return false;
    }
    return literalset_build(&s->by_text);
}

/* One database of n patterns, given by index. False: vectorscan does not take *bad of them. */
static bool build_database(struct regexset *s, const u32 *index, size_t n, size_t *bad)
{
    const char **text = must_alloc(n * sizeof *text);
    unsigned *flags = must_alloc(n * sizeof *flags);
    for (size_t i = 0; i < n; i++) {
        const struct regex *r = &s->regex[index[i]];
        text[i] = r->pattern.p;
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
    bool ok = !nul && hs_expression_info(r->pattern.p,
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
        if (s->regex[i].text_print == 0)
            index[n++] = (u32)i;
    if (n <= ALWAYS_AT_MOST) {
        memcpy(s->always, index, n * sizeof *index);
        s->nalways = n;
    } else {
        size_t taken = 0;
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

static void count_bytes(struct regexset *s)
{
    size_t size;
    s->bytes = sizeof *s + s->texts.total + s->n * (sizeof *s->regex + sizeof *s->always) +
               literalset_bytes(&s->by_text);
    for (size_t i = 0; i < s->n; i++) {
        s->bytes += pcre2_pattern_info(s->regex[i].code, PCRE2_INFO_SIZE, &size) ? 0 : size;
        s->bytes += pcre2_pattern_info(s->regex[i].code, PCRE2_INFO_JITSIZE, &size) ? 0 : size;
    }
    for (size_t i = 0; i < s->ndatabases; i++)
        s->bytes += hs_database_size(s->database[i], &size) == HS_SUCCESS ? size : 0;
}

struct regexset *regexset_build(struct regexset_builder **to)
{
    struct regexset_builder *b = builder_of(to);
    struct regexset *s = b ? calloc(1, sizeof *s) : NULL;
    if (s == NULL) {
        regexset_drop(to);
        return NULL;
    }
    remove_removed(b);
    s->texts = b->texts;
    s->regex = b->regex;
    s->n = b->n;
    free(b);
    *to = NULL;
    for (size_t i = 0; i < s->n; i++)
        pcre2_jit_compile(s->regex[i].code, PCRE2_JIT_COMPLETE); /* without it: interpreted */
    forget_shared_texts(s);
    if (!build_texts(s)) {
        regexset_free(s);
        return NULL;
    }
    build_rest(s);
    count_bytes(s);
    return s;
}

void regexset_free(struct regexset *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        pcre2_code_free(s->regex[i].code);
    for (size_t i = 0; i < s->ndatabases; i++)
        hs_free_database(s->database[i]);
    literalset_free(&s->by_text);
    arena_free(&s->texts);
    free(s->database);
    free(s->always);
    free(s->regex);
    free(s);
}

size_t regexset_entries(const struct regexset *s)
{
    return s ? s->n : 0;
}

size_t regexset_unaided(const struct regexset *s)
{
    return s ? s->nalways : 0;
}

size_t regexset_bytes(const struct regexset *s)
{
    return s ? s->bytes : 0;
}
