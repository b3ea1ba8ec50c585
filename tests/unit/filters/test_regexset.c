/* Regular expressions: what their looks say of them, and thousands against one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/clock.h"
#include "base/text.h"
#include "filters/regex_shape.h"
#include "filters/regex_texts.h"
#include "filters/regexset.h"
#include "filters/url_samples.h"

static void shapes(void **state)
{
    static const struct {
        const char *pattern;
        bool caseless;
        enum regex_subject subject;
        enum regex_shape shape;
        enum host_kind kind;
        const char *text;
    } rows[] = {
        { "/banner/", false, REGEX_OF_URL, REGEX_TEXT, 0, "/banner/" },
        { ".*/ads\\.js.*", true, REGEX_OF_URL, REGEX_TEXT, 0, "/ads.js" },
        { ".*/ymsgr*\\.exe", true, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { ".*?ads", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "ads?", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "a.b", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "^/ads", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "a|b", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { ".*", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "\\d", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "^https?://([^/]*\\.)?ads\\.example\\.com(:[0-9]+)?/", false, REGEX_OF_URL, REGEX_HOST,
          HOST_BOTH, "ads.example.com" },
        { "^https?://ads-1\\.example[:/]", false, REGEX_OF_URL, REGEX_HOST, HOST_ITSELF,
          "ads-1.example" },
        { "^https?://ADS\\.example[:/]", true, REGEX_OF_URL, REGEX_HOST, HOST_ITSELF,
          "ads.example" },
        /* never matches: hosts are in lower case */
        { "^https?://ADS\\.example[:/]", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "^https?://ads\\.example/", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL }, /* one port */
        { "^https?://ads.example[:/]", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "^https?://(.*\\.)?ads\\.example[:/]", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "^http://ads\\.example[:/]", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "^https?://10\\.0\\.0\\.1[:/]", false, REGEX_OF_URL, REGEX_OTHER, 0,
          NULL }, /* an address */
        { "^https?://a\\.0[:/]", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "^https?://ads\\.example[:/]x", false, REGEX_OF_URL, REGEX_OTHER, 0, NULL },
        { "(^|\\.)ads\\.example$", false, REGEX_OF_HOST, REGEX_HOST, HOST_BOTH, "ads.example" },
        { "^ads\\.example$", false, REGEX_OF_HOST, REGEX_HOST, HOST_ITSELF, "ads.example" },
        { "\\.ads\\.example$", false, REGEX_OF_HOST, REGEX_HOST, HOST_BELOW, "ads.example" },
        { "ads\\.example$", false, REGEX_OF_HOST, REGEX_OTHER, 0, NULL },
    };
    static struct regex_shape_of is;
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        regex_shape(&is, slice_of(rows[i].pattern), rows[i].caseless, rows[i].subject);
        assert_int_equal(is.shape, rows[i].shape);
        if (is.shape == REGEX_HOST)
            assert_int_equal(is.kind, rows[i].kind);
        if (rows[i].text)
            assert_true(slice_eq((struct slice){ is.text, is.n }, slice_of(rows[i].text)));
    }
}

static bool of_a_scheme(struct slice text)
{
    return slice_starts(text, SLICE("http"));
}

static void required_texts(void **state)
{
    static const char *const rows[][2] = {
        { "^http://[^/]+/banners?/", "http://" },
        { "[0-9]/banners?/", "/banner" },
        { "abc{2}d", "abc" },
        { "abc{0,3}de", "ab" },
        { "abc{0}de", "ab" },
        { "abcd+ef", "abcd" },
        { "ab{1}{0}", "" },
        { "abc|def", "" },
        { "(abc|def)gh", "gh" },
        { "(abc)?d", "d" },
        { "(a(b)c", "" },
        { "(?i)abc", "" },
        { "(?:abc)x", "x" },
        { "a(?=bc)", "" },
        { "\\Qa.b\\Ec", "" },
        { "a\\.b\\/c\\d", "a.b/c" },
        { "\\x41bcd", "" },
        { "[]a]bc", "bc" },
        { "[^]a]bc", "bc" },
        { "[\\]a]bc", "bc" },
        { "[[:alpha:]]bc", "" },
        { "a{,3}b", "" },
        { "ab*?cd", "cd" },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        char text[64];
        size_t n = regex_required(slice_of(rows[i][0]), NULL, text);
        assert_true(slice_eq((struct slice){ text, n }, slice_of(rows[i][1])));
    }
    char text[64]; /* the longer one tells nothing */
    size_t n = regex_required(SLICE("^http://[^/]+/ads/"), of_a_scheme, text);
    assert_true(slice_eq((struct slice){ text, n }, SLICE("/ads/")));
}

static void join(void *ctx, struct slice text)
{
    struct text *t = ctx;
    text_add(t, text);
    text_char(t, ' ');
}

static bool of_one_byte(struct slice text)
{
    return text.n == 1;
}

static void texts_of_branches(void **state)
{
    static const char *const rows[][2] = {
        { "/(banner|popup)s?/", "banner popup " },
        { "(?:a(b|c)def|ghi)[0-9]", "def ghi " },
        { "abc|x[0-9]def", "abc def " },
        { "abcd(e|f)", "abcd " },
        { "[0-9](ab|cd)?(ef|gh)+", "ef gh " },
        { "[0-9](ab|cd){0,2}", "" },
        { "[0-9](ab|)", "" },
        { "[0-9](ab|[cd])", "" },
        { "ab|", "" },
        { "[0-9](ab|(?=c)d)", "" },
        { "(?i:ab|cd)", "" },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        char room[64], area[64];
        struct text t = text_in(area, sizeof area);
        bool found = regex_texts(slice_of(rows[i][0]), of_one_byte, room, join, &t);
        assert_int_equal(found, rows[i][1][0] != 0);
        if (!slice_eq(text_slice(&t), slice_of(rows[i][1])))
            fail_msg("%s: %.*s", rows[i][0], (int)t.n, t.p);
    }
}

static void cores(void **state)
{
    static const struct {
        const char *pattern, *core;
        unsigned plain;
    } rows[] = {
        { "/(ad|b)[0-9]*a1[a-f]2b(x|y)+/", "a1[a-f]2b", 4 },
        { "ab?c.d\\d+ef", "c.d\\d", 2 },
        { "^ab[^]]c$", "ab[^]]c", 3 },
        { "ab{0}cd{3}e{2,}", "cd", 2 },
        { "a|b", "", 0 },
        { "(abc)*", "", 0 },
        { "a(?=b)c", "", 0 },
        { "a\\.b\\/c", "a\\.b\\/c", 5 },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        unsigned plain;
        struct slice core = regex_core(slice_of(rows[i].pattern), &plain);
        if (!slice_eq(core, slice_of(rows[i].core)) || plain != rows[i].plain)
            fail_msg("%s: %.*s, %u", rows[i].pattern, SLICE_FMT(core), plain);
    }
}

static void refused_patterns(void **state)
{
    static const char *const rows[][2] = {
        { "a(b", "missing closing parenthesis (at byte 4)" },
        { "(*LIMIT_MATCH=9)a", "begins with an option of the engine" },
        { "", "empty" },
        { "0|.", "matches nearly every URL" },
        { ".*", "matches nearly every URL" },
        { "[a-z]", "matches nearly every URL" },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct regexset_builder *b = NULL;
        char why[REGEX_WHY] = "";
        struct regex_flags flags = { .of_a_list = true };
        assert_false(regexset_add(&b, slice_of(rows[i][0]), flags, 1, why));
        assert_string_equal(why, rows[i][1]);
        regexset_drop(&b);
    }
    struct regexset_builder *b = NULL; /* a rule may say what it likes */
    char why[REGEX_WHY];
    assert_true(regexset_add(&b, SLICE(".*"), (struct regex_flags){ 0 }, 1, why));
    regexset_drop(&b);
}

static struct regexset *make(const char *const *pattern, size_t n, bool caseless)
{
    struct regexset_builder *b = NULL;
    char why[REGEX_WHY];
    for (size_t i = 0; i < n; i++)
        assert_true(regexset_add(&b, slice_of(pattern[i]),
                                 (struct regex_flags){ .caseless = caseless }, (u32)i + 1, why));
    struct regexset *s = regexset_build(&b);
    assert_non_null(s);
    return s;
}

static void the_first_line_decides(void **state)
{
    static const char *const patterns[] = { "[0-9]+/x", "b+/[x-z]", "/[x]$" };
    struct regex_scratch *r = regex_scratch_new();
    struct regexset *s = make(patterns, countof(patterns), false);
    struct regexset_hit hit;
    struct places third = { &(struct place_range){ 3, 9 }, 1 };
    (void)state;
    assert_int_equal(regexset_find(s, r, SLICE("abb/x"), NULL, &hit), REGEX_YES);
    assert_true(hit.place == 2 && hit.from == 1 && hit.to == 5);
    assert_true(slice_is(hit.pattern, patterns[1]));
    assert_int_equal(regexset_find(s, r, SLICE("abb/x"), &third, &hit), REGEX_YES);
    assert_int_equal(hit.place, 3);
    assert_int_equal(regexset_find(s, r, SLICE("abb/a"), NULL, &hit), REGEX_NO);
    assert_int_equal(regexset_find(s, r, SLICE(""), NULL, &hit), REGEX_NO);
    assert_int_equal(regexset_find(NULL, r, SLICE("a"), NULL, &hit), REGEX_NO);
    regexset_free(s);
    regex_scratch_free(r);
}

/* Patterns that try every way to split the subject: neither matched nor not, unless another one
 * matches; and a thousand of them take no longer than a look-up may. */
static void what_comes_to_its_limits_is_reported(void **state)
{
    enum { N = 1000 };
    char *evil[N], subject[64];
    struct regex_scratch *r = regex_scratch_new();
    struct regexset_hit hit;
    (void)state;
    memset(subject, 'a', sizeof subject);
    for (unsigned i = 0; i < N; i++) {
        evil[i] = malloc(32);
        snprintf(evil[i], 32, "\\G(a+)+[b-z](%03x|b)$", i); /* \G: vectorscan takes none of them */
    }
    struct regexset *s = make((const char *const *)evil, N, false);
    assert_int_equal(regexset_unaided(s), N);
    u64 from = clock_us(CLOCK_MONOTONIC);
    assert_int_equal(regexset_find(s, r, (struct slice){ subject, sizeof subject }, NULL, &hit),
                     REGEX_EXHAUSTED);
    assert_true(clock_us(CLOCK_MONOTONIC) - from < 100 * REGEX_MAY_TAKE_US); /* not 1,000 × 1 ms */
    assert_int_equal(hit.place, 1);
    assert_true(slice_is(hit.pattern, evil[0]));
    regexset_free(s);
    const char *const two[] = { evil[0], "aa[a]" };
    s = make(two, 2, false);
    assert_int_equal(regexset_find(s, r, (struct slice){ subject, sizeof subject }, NULL, &hit),
                     REGEX_YES);
    assert_int_equal(hit.place, 2);
    regexset_free(s);
    for (unsigned i = 0; i < N; i++)
        free(evil[i]);
    regex_scratch_free(r);
}

static void removed_patterns_are_gone(void **state)
{
    struct regexset_builder *b = NULL;
    struct regex_scratch *r = regex_scratch_new();
    struct regexset_hit hit;
    char why[REGEX_WHY];
    struct regex_flags removes = { .removes = true };
    (void)state;
    assert_true(regexset_add(&b, SLICE("a[bc]"), (struct regex_flags){ 0 }, 1, why));
    assert_true(regexset_add(&b, SLICE("a[bc]"), removes, 2, why));
    assert_true(regexset_add(&b, SLICE("a[cd]"), (struct regex_flags){ 0 }, 3, why));
    struct regexset *s = regexset_build(&b);
    assert_int_equal(regexset_entries(s), 1);
    assert_int_equal(regexset_find(s, r, SLICE("ab"), NULL, &hit), REGEX_NO);
    assert_int_equal(regexset_find(s, r, SLICE("ac"), NULL, &hit), REGEX_YES);
    regexset_free(s);
    regex_scratch_free(r);
}

static u64 seed = 5;
static unsigned pick(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static const char *const pieces[] = {
    "a",  "b",  "/",    "ads",  "\\.",    "track",  "[0-9]",  "[^/]+", "(x|y)", "(?:ab)?",
    "a+", "b*", "c{2}", "z{0}", "\\d",    "\\bads", "(?=a)",  "(?!b)", "^",     "$",
    ".",  ".*", "foo",  "bar?", "x{1,2}", "(?i)q",  "[a-c/]", "\\w+",  "|",     "(a)\\1",
};

static void random_pattern(char *out)
{
    *out = 0;
    for (unsigned n = 1 + pick(6); n > 0; n--)
        strcat(out, pieces[pick(countof(pieces))]);
}

static void random_subject(char *out)
{
    static const char *const words[] = { "a",    "b",  "/",   "ads", ".", "track", "7", "x",
                                         "abab", "cc", "foo", "ba",  "Q", "zz",    "aa" };
    *out = 0;
    for (unsigned n = pick(12); n > 0; n--)
        strcat(out, words[pick(countof(words))]);
}

/* Random patterns in small and larger sets, so that each way of finding candidates is gone: the
 * answer is what PCRE2 says of each in turn.
 * slow: thousands of patterns, compiled twice */
static void same_as_one_by_one(void **state)
{
    enum { MOST = 40 };
    struct regex_scratch *r = regex_scratch_new();
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        static char pattern[MOST][128];
        struct regexset_builder *b = NULL;
        pcre2_code *code[MOST];
        bool caseless = round % 2;
        char why[REGEX_WHY];
        unsigned n = 0, wanted = round % 3 ? MOST : 5;
        while (n < wanted) {
            random_pattern(pattern[n]);
            if (!regexset_add(&b, slice_of(pattern[n]),
                              (struct regex_flags){ .caseless = caseless }, n + 1, why))
                continue;
            int error;
            PCRE2_SIZE at;
            code[n] = pcre2_compile((PCRE2_SPTR)pattern[n], PCRE2_ZERO_TERMINATED,
                                    caseless ? PCRE2_CASELESS : 0, &error, &at, NULL);
            n++;
        }
        struct regexset *s = regexset_build(&b);
        pcre2_match_data *data = pcre2_match_data_create(1, NULL);
        for (unsigned probe = 0; probe < 60; probe++) {
            char subject[128];
            struct regexset_hit hit = { 0 };
            u32 low = 1 + pick(n), first = 0;
            struct places in = { &(struct place_range){ low, n }, 1 };
            random_subject(subject);
            for (unsigned i = low - 1; i < n && !first; i++)
                if (pcre2_match(code[i], (PCRE2_SPTR)subject, strlen(subject), 0, 0, data, NULL) >=
                    0)
                    first = i + 1;
            enum regex_answer got = regexset_find(s, r, slice_of(subject), &in, &hit);
            if (got != (first ? REGEX_YES : REGEX_NO) || hit.place != first)
                fail_msg("'%s' in '%s': %u, not %u", subject, pattern[first ? first - 1 : 0],
                         hit.place, first);
        }
        pcre2_match_data_free(data);
        for (unsigned i = 0; i < n; i++)
            pcre2_code_free(code[i]);
        regexset_free(s);
    }
    regex_scratch_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(required_texts),
        cmocka_unit_test(texts_of_branches),
        cmocka_unit_test(cores),
        cmocka_unit_test(refused_patterns),
        cmocka_unit_test(the_first_line_decides),
        cmocka_unit_test(what_comes_to_its_limits_is_reported),
        cmocka_unit_test(removed_patterns_are_gone),
        cmocka_unit_test(same_as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
