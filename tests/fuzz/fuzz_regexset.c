/*
 * Sets of patterns against PCRE2 alone: the lines of the input are patterns, the last one is the
 * subject. What finds candidates (a text that must occur, vectorscan) may never miss a match, and
 * what is taken for a plain text or a host must match what its pattern matches.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"
#include "filters/regex_shape.h"
#include "filters/regex_texts.h"
#include "filters/regexset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST = 24, LONGEST = 40 };

static pcre2_match_data *match_data;
static pcre2_match_context *limits;

/* 1, 0, or -1: at its limits. */
static int matches(struct slice pattern, bool caseless, struct slice subject)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
                                     caseless ? PCRE2_CASELESS : 0, &error, &at, NULL);
    must(code);
    int rc = pcre2_match(code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, match_data, limits);
    pcre2_code_free(code);
    return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static bool of_letters(struct slice text)
{
    return text.n && ascii_alpha(text.p[0]);
}

struct looking {
    struct slice subject;
    bool found;
};

static void look_for(void *ctx, struct slice text)
{
    struct looking *l = ctx;
    for (size_t i = 0; i + text.n <= l->subject.n; i++)
        l->found |= slice_eq_nocase(text, (struct slice){ l->subject.p + i, text.n });
}

/* What a match contains. */
static void check_texts(struct slice pattern, bool caseless, struct slice subject)
{
    char room[LONGEST];
    struct looking l = { .subject = subject };
    unsigned plain;
    must(!regex_texts(pattern, subject.n % 2 ? of_letters : NULL, room, look_for, &l) || l.found);
    struct slice core = regex_core(pattern, &plain);
    must(core.n == 0 || matches(core, caseless, subject) != 0);
}

static void check_shape(struct slice pattern, bool caseless, struct slice subject, int expected)
{
    static struct regex_shape_of is;
    char text[LONGEST];
    size_t required = regex_required(pattern, subject.n % 2 ? of_letters : NULL, text);
    bool has = false, has_exactly = false;
    for (size_t i = 0; required && i + required <= subject.n; i++)
        has = has || slice_eq_nocase((struct slice){ text, required },
                                     (struct slice){ subject.p + i, required });
    must(expected != 1 || required == 0 || has);
    if (expected == 1)
        check_texts(pattern, caseless, subject);
    regex_shape(&is, pattern, caseless, REGEX_OF_URL);
    if (is.shape != REGEX_TEXT || expected < 0)
        return;
    for (size_t i = 0; i + is.n <= subject.n; i++) {
        struct slice here = { subject.p + i, is.n }, wanted = { is.text, is.n };
        has_exactly =
            has_exactly || (caseless ? slice_eq_nocase(here, wanted) : slice_eq(here, wanted));
    }
    must(has_exactly == (expected == 1));
}

/* The first byte: are letters alike? */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = { (const char *)data + 1, n - 1 }, line, pattern[MOST], subject = { "", 0 };
    struct regexset_builder *b = NULL;
    struct regexset_hit hit = { 0 };
    char why[REGEX_WHY];
    unsigned count = 0, first = 0;
    if (n < 2 || n > 512)
        return 0;
    if (match_data == NULL) {
        match_data = pcre2_match_data_create(1, NULL);
        limits = pcre2_match_context_create(NULL);
        pcre2_set_match_limit(limits, 100000);
    }
    struct regex_flags flags = { .caseless = data[0] & 1 };
    while (slice_cut(&rest, '\n', &line)) {
        subject = line;
        if (rest.p && line.n <= LONGEST && count < MOST &&
            regexset_add(&b, line, flags, count + 1, why))
            pattern[count++] = line;
    }
    bool limited = false;
    for (unsigned i = 0; i < count; i++) {
        int m = matches(pattern[i], flags.caseless, subject);
        check_shape(pattern[i], flags.caseless, subject, m);
        limited = limited || m < 0;
        first = m == 1 && first == 0 ? i + 1 : first;
    }
    struct regexset *s = regexset_build(&b);
    struct regex_scratch *r = regex_scratch_new();
    must(s && r);
    enum regex_answer got = regexset_find(s, r, subject, NULL, &hit);
    if (got != REGEX_EXHAUSTED && !limited)
        must(got == (first ? REGEX_YES : REGEX_NO) && hit.place == first);
    regexset_free(s);
    regex_scratch_free(r);
    return 0;
}
