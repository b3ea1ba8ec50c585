/*
 * Adding compiles a pattern by PCRE2, so that a bad line is reported with its reason; building adds
 * the JIT's code and prepares the ways of finding candidates.
 */
#include "filters/regexset_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "filters/url_samples.h"

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

pcre2_code *regexset_compile(struct slice pattern, bool caseless, char why[REGEX_WHY])
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

unsigned regexset_sample_hits(const pcre2_code *code)
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
    return hits;
}

bool regexset_add(struct regexset_builder **to, struct slice pattern, struct regex_flags flags,
                  u32 place, char why[REGEX_WHY])
{
    struct regexset_builder *b = builder_of(to);
    if (b == NULL)
        return refuse(why, "no memory");
    if (pattern.n == 0 || pattern.n > REGEX_LONGEST)
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
    pcre2_code *code = regexset_compile(pattern, flags.caseless, why);
    if (code == NULL)
        return false;
    if (flags.of_a_list && regexset_sample_hits(code) > url_samples_n / 2) {
        pcre2_code_free(code);
        return refuse(why, "matches nearly every URL");
    }
    b->regex[b->n++] = (struct regex){ .code = code,
                                       .pattern = arena_copy(&b->texts, pattern),
                                       .place = place,
                                       .caseless = flags.caseless,
                                       .removes = flags.removes };
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
    if (!regexset_prepare(s)) {
        regexset_free(s);
        return NULL;
    }
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
