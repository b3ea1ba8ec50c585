/* One regular expression: what it finds, what it refuses to be, and what happens at its limits. */
#include "filters/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static enum match find(const char *pattern, struct slice text)
{
    struct arena a;
    char why[PATTERN_WHY] = "";
    arena_init(&a, 0);
    const struct pattern *p = pattern_compile(&a, slice_of(pattern), why);
    if (p == NULL)
        fail_msg("%s: %s", pattern, why);
    enum match m = pattern_find(p, text);
    arena_free(&a);
    return m;
}

static void it_searches_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        enum match want;
    } rows[] = {
        { "b", "abc", MATCH_YES },         { "^b", "abc", MATCH_NO },
        { "B", "abc", MATCH_NO },          { "(?i)B", "abc", MATCH_YES },
        { "^$", "", MATCH_YES },           { "a\\.b", "axb", MATCH_NO },
        { "^..$", "\xc3\xa9", MATCH_YES }, { "(a)(b)(c)\\3", "abcc", MATCH_YES },
        { "(?<=x)y", "xy", MATCH_YES },    { "a\\z", "a\n", MATCH_NO },
    };
    for (size_t i = 0; i < countof(rows); i++)
        if (find(rows[i].pattern, slice_of(rows[i].text)) != rows[i].want)
            fail_msg("%s in %s", rows[i].pattern, rows[i].text);
    assert_int_equal(find("a.b", (struct slice){ "a\0b", 3 }), MATCH_YES);
    assert_int_equal(find("x", (struct slice){ NULL, 0 }), MATCH_NO);
}

static void what_comes_to_a_limit_is_neither(void **state)
{
    (void)state;
    char text[16384];
    memset(text, 'a', sizeof text);
    assert_int_equal(find("^(a+)+$", (struct slice){ text, 40 }), MATCH_YES);
    text[39] = '!';
    assert_int_equal(find("^(a+)+$", (struct slice){ text, 40 }), MATCH_UNSAFE);
    assert_int_equal(find("^(a|aa)+$", (struct slice){ text, 40 }), MATCH_UNSAFE);
    /* more than the stack of the JIT's code: once more without it */
    memset(text, 'a', sizeof text);
    assert_int_equal(find("^(?:a|b(*SKIP))*c", (struct slice){ text, 4000 }), MATCH_NO);
    assert_int_not_equal(find("^(?:(a)|b|(?:c|d))*$", (struct slice){ text, 3000 }), MATCH_NO);
}

static void what_is_no_pattern_says_why(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "(", "missing closing parenthesis (at byte 2)" },
        { "a[b", "missing terminating ]" },
        { "", "it is empty" },
        { "(*UTF)a", "options" },
        { "\\C", "\\C is disabled" },
        { "(?(1)a|b|c)", "non-existent" },
    };
    struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < countof(rows); i++) {
        char why[PATTERN_WHY] = "";
        assert_null(pattern_compile(&a, slice_of(rows[i][0]), why));
        if (!strstr(why, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], why);
    }
    char *longer = malloc(PATTERN_LONGEST + 1), why[PATTERN_WHY];
    memset(longer, 'a', PATTERN_LONGEST + 1);
    assert_null(pattern_compile(&a, (struct slice){ longer, PATTERN_LONGEST + 1 }, why));
    assert_non_null(pattern_compile(&a, (struct slice){ longer, PATTERN_LONGEST }, why));
    free(longer);
    arena_free(&a);
}

static void steps_are_measured(void **state)
{
    (void)state;
    struct slice text = SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    assert_false(pattern_needs(SLICE("^a+!"), text, 100));
    assert_true(pattern_needs(SLICE("^(a+)+$"), text, 100000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_searches_bytes),
        cmocka_unit_test(what_comes_to_a_limit_is_neither),
        cmocka_unit_test(what_is_no_pattern_says_why),
        cmocka_unit_test(steps_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
