/* Diagnostics byte for byte, and the excerpt of difficult lines. */
#include "config_text.h"

static struct trial t;

static int end(void **state)
{
    (void)state;
    trial_end(&t);
    return 0;
}

static void check(const char *text)
{
    trial_check(&t, slice_of(text));
}

#define RIGHT                                                                                      \
    "listener a { bind 127.0.0.1:1; mode forward; policy p; } policy p { default allow; }\n"

static void a_wrong_value(void **state)
{
    (void)state;
    check(RIGHT "timeouts {\n\tconnect  30;\n}\n");
    assert_string_equal(t.said,
                        "t.conf:3:11: error: \"30\" is not a duration\n"
                        "    \tconnect  30;\n"
                        "    \t         ^~\n"
                        "    expected a number with a unit (ms, s, m, h, d or w), such as 30s\n"
                        "    did you mean \"30s\"?\n");
}

static void an_unknown_key(void **state)
{
    (void)state;
    check(RIGHT "log access { too stdout; }\n");
    assert_string_equal(t.said,
                        "t.conf:2:14: error: \"too\" is not known in the block \"log access\"\n"
                        "    log access { too stdout; }\n"
                        "                 ^~~\n"
                        "    expected one of: to, format, query, mask-client\n"
                        "    did you mean \"to\"?\n");
}

static void a_key_of_another_block(void **state)
{
    (void)state;
    check(RIGHT "fields 100;\n");
    assert_string_equal(
        t.said,
        "t.conf:2:1: error: \"fields\" is not known at the top level\n"
        "    fields 100;\n"
        "    ^~~~~~\n"
        "    expected one of: workers, offload-threads, user, include, listener, list, "
        "policy, parent, pac, routes, pool, cache, test, log access, log error, dns, limits, "
        "timeouts, admin, control, state\n"
        "    it is known in the block \"limits\"\n");
}

static void a_doubled_key(void **state)
{
    (void)state;
    check(RIGHT "limits { head 1k;\n head 2k; }");
    assert_string_equal(t.said,
                        "t.conf:3:2: error: \"head\" stands here for the second time, first "
                        "at t.conf:2:10\n"
                        "     head 2k; }\n"
                        "     ^~~~\n");
}

static void a_missing_reference(void **state)
{
    (void)state;
    check("listener a { bind 127.0.0.1:1; mode forward; policy staf; }\npolicy staff { default "
          "allow; }");
    assert_string_equal(t.said, "t.conf:1:53: error: there is no block \"policy staf\"\n"
                                "    listener a { bind 127.0.0.1:1; mode forward; policy staf; }\n"
                                "                                                        ^~~~\n"
                                "    expected the name of a block \"policy NAME { ... }\"\n"
                                "    did you mean \"staff\"?\n");
}

static void a_missing_semicolon(void **state)
{
    (void)state;
    check(RIGHT "limits {\n  head 1k\n  fields 100;\n}");
    assert_string_equal(t.said, "t.conf:3:10: error: a \";\" is missing behind \"1k\"\n"
                                "      head 1k\n"
                                "             ^\n");
}

/* On one line it shows by a word too many. */
static void a_missing_semicolon_within_a_line(void **state)
{
    (void)state;
    check(RIGHT "timeouts { head 10s idle 20s; }");
    assert_string_equal(t.said, "t.conf:2:20: error: a \";\" is missing behind \"10s\"\n"
                                "    timeouts { head 10s idle 20s; }\n"
                                "                       ^\n");
    trial_end(&t);
    check(RIGHT "workers 4 timeouts { head 10s idle 20 body 1m connect 5; }");
    assert_int_equal(t.diags.errors, 6);
    assert_says(&t, "is missing behind \"4\"");
    assert_says(&t, "is missing behind \"10s\"");
    assert_says(&t, "is missing behind \"20\"");
    assert_says(&t, "is missing behind \"1m\"");
    assert_says(&t, "\"20\" is not a duration");
    assert_says(&t, "\"5\" is not a duration");
    trial_end(&t);
    check(RIGHT "timeouts { head idle 20s; body 1m \"idle\"; }");
    assert_int_equal(t.diags.errors, 2);
    assert_says(&t, "t.conf:2:22: error: \"head\" takes only 1 word");
    assert_says(&t, "t.conf:2:35: error: \"body\" takes only 1 word");
}

static void a_missing_brace(void **state)
{
    (void)state;
    check("listener a {\n  bind 127.0.0.1:1; mode forward; policy p;\n\n"
          "policy p { default allow; }\ntimeouts { head 10; }\nlimits { head 1k; }\n");
    assert_string_equal(t.said,
                        "t.conf:4:1: error: \"}\" is missing before \"policy\"\n"
                        "    policy p { default allow; }\n"
                        "    ^~~~~~\n"
                        "    the block \"listener\" at t.conf:1:1 is not closed\n"
                        "t.conf:5:17: error: \"10\" is not a duration\n"
                        "    timeouts { head 10; }\n"
                        "                    ^~\n"
                        "    expected a number with a unit (ms, s, m, h, d or w), such as 30s\n"
                        "    did you mean \"10s\"?\n");
}

static void two_missing_braces(void **state)
{
    (void)state;
    check("listener a { bind 127.0.0.1:1; mode forward; policy p; }\n"
          "policy p {\n default allow;\n rules {\n  deny x { to a.example; }\n"
          "limits {\n head 1k;\n"
          "timeouts { }\n");
    assert_int_equal(t.diags.errors, 2);
    assert_says(&t,
                "t.conf:6:1: error: \"}\" is missing before \"limits\"\n    limits {\n    ^~~~~~\n"
                "    the block \"policy\" at t.conf:2:1 is not closed\n"
                "    the block \"rules\" at t.conf:4:2 is not closed\n");
    assert_says(&t, "t.conf:8:1: error: \"}\" is missing before \"timeouts\"\n");
    assert_says(&t, "    the block \"limits\" at t.conf:6:1 is not closed\n");
}

/* Nothing in it shows where it should have ended, so nothing is reported of what may be missing. */
static void a_block_without_end(void **state)
{
    (void)state;
    check(RIGHT "policy q { rules {\n allow a { }\n");
    assert_string_equal(t.said, "t.conf:2:1: error: the block \"policy\" is not closed\n"
                                "    policy q { rules {\n    ^~~~~~\n"
                                "t.conf:2:12: error: the block \"rules\" is not closed\n"
                                "    policy q { rules {\n               ^~~~~\n");
    trial_end(&t);
    check("listener a { bind 127.0.0.1:1; policy p { default allow; }");
    assert_says(&t, "the block \"listener\" is not closed");
    assert_says(&t, "\"policy\" is a statement, not a block");
    assert_int_equal(t.diags.errors, 2);
}

static void what_is_missing(void **state)
{
    (void)state;
    check("policy p { }\n");
    assert_string_equal(t.said,
                        "t.conf: error: \"listener\" is missing\n"
                        "    expected something like: listener egress { bind 127.0.0.1:3128; "
                        "mode forward; policy staff; }\n"
                        "t.conf:1:1: error: \"default\" is missing in the block \"p\"\n"
                        "    policy p { }\n"
                        "    ^~~~~~\n"
                        "    expected something like: default deny \"not on the company "
                        "list\";\n");
}

static void a_warning(void **state)
{
    (void)state;
    check(RIGHT "pool spare { server a:80; }\n");
    assert_true(t.fine);
    assert_int_equal(t.diags.warnings, 1);
    assert_string_equal(t.said, "t.conf:2:1: warning: nothing uses the pool \"spare\"\n"
                                "    pool spare { server a:80; }\n"
                                "    ^~~~\n");
}

static void twenty_and_more(void **state)
{
    (void)state;
    char text[4096] = RIGHT;
    for (int i = 0; i < 23; i++)
        strcat(text, "x;\n");
    check(text);
    assert_int_equal(t.diags.errors, 23);
    assert_int_equal(t.diags.nlist, 20);
    assert_says(&t, "t.conf:21:1: error");
    assert_null(strstr(t.said, "t.conf:22:1"));
    assert_says(&t, "\nand 3 more errors\n");
}

static void in_the_order_of_the_text(void **state)
{
    (void)state;
    check("limits { head x; }\nb \"\\n\";\nadmin { bind x; }\n}");
    const char *a = strstr(t.said, "t.conf:1:"), *b = strstr(t.said, "t.conf:2:"),
               *c = strstr(t.said, "t.conf:3:"), *d = strstr(t.said, "t.conf:4:");
    assert_true(a && b && c && d && a < b && b < c && c < d);
}

static void wide_characters(void **state)
{
    (void)state;
    check(RIGHT "policy \"\xc3\xa9\xc3\xa9\xc3\xa9\" \xe2\x82\xac;\n");
    assert_says(&t, "    policy \"\xc3\xa9\xc3\xa9\xc3\xa9\" \xe2\x82\xac;\n    ^~~~~~\n");
    trial_end(&t);
    check(RIGHT "limits { head \"\xc3\xa9\xc3\xa9\" ; }\n");
    assert_says(&t, "    limits { head \"\xc3\xa9\xc3\xa9\" ; }\n                  ^~~~\n");
}

/* Of two columns, of none, and a byte order mark, which nobody sees. */
static void characters_of_other_widths(void **state)
{
    (void)state;
    check("\xef\xbb\xbf"
          "x; " RIGHT);
    assert_says(&t, "\xef\xbb\xbfx; listener");
    assert_says(&t, "\n    ^\n");
    trial_end(&t);
    check(RIGHT "limits { head \xe6\x97\xa5\xe6\x9c\xac; } # \xf0\x9f\x98\x80\n"
                "pool \"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\" { x; }\n"
                "pool \"e\xcc\x81\" { y; }\n");
    assert_says(&t, "# \xf0\x9f\x98\x80\n                  ^~~~\n");
    assert_says(&t, "\xf0\x9f\x98\x80\" { x; }\n                  ^\n");
    assert_says(&t, "\" { y; }\n               ^\n");
}

/* C1 controls, marks that turn the line around, and what is no UTF-8 at all. */
static void what_a_terminal_would_obey(void **state)
{
    (void)state;
    check(RIGHT "a\xc2\x9b"
                "b\xe2\x80\xae\xe2\x81\xa6\xd8\x9c"
                "c\xe2\x80\xa8 x;\n");
    assert_says(&t, "t.conf:2:1: error: "
                    "\"a\\xc2\\x9bb\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xd8\\x9cc\\xe2\\x80\\xa8\" "
                    "is not known");
    assert_says(&t, "\n    a?b???c? x;\n    ^~~~~~~~\n");
    trial_end(&t);
    check("a \x9b\xff;\n");
    assert_says(&t, "\n    a ??;\n      ^\n");
    assert_string_equal(slice_shown(SLICE("\xff\t")), "\"\\xff\\x09\"");
}

static void controls_do_not_reach_the_terminal(void **state)
{
    (void)state;
    check(RIGHT "limits { head \x1b[2J; }\n");
    assert_null(strchr(t.said, 0x1b));
    assert_says(&t, "t.conf:2:15: error: a control character in a word\n"
                    "    limits { head ?[2J; }\n"
                    "                  ^\n");
}

static void a_long_line_is_clipped(void **state)
{
    (void)state;
    size_t n = 10 << 20;
    char *text = malloc(n);
    memset(text, ' ', n);
    memcpy(text + n / 2, "limits { head 5x; }", 19);
    trial_check(&t, (struct slice){ text, n });
    free(text);
    assert_says(&t, "t.conf:1:5242895: error: \"5x\" is not a size\n    ...");
    assert_says(&t, "limits { head 5x; }");
    assert_true(t.nsaid < 2000);
    char *caret = strchr(t.said, '^'), *line = caret;
    while (line[-1] != '\n')
        line--;
    const char *above = line - 1;
    while (above[-1] != '\n')
        above--;
    assert_true(memcmp(above + (caret - line), "5x", 2) == 0);
}

static void secrets_are_not_shown(void **state)
{
    (void)state;
    FILE *f = fopen("/tmp/proxyd-test-secret", "w");
    fputs("hunter2\nmore\n", f);
    fclose(f);
    check(RIGHT "limits { head secret file /tmp/proxyd-test-secret; }\n");
    remove("/tmp/proxyd-test-secret");
    assert_null(strstr(t.said, "hunter"));
    assert_says(&t, "t.conf:2:15: error: (a secret) is not a size\n");
    assert_says(&t, "                  ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n");
}

static void guesses(void **state)
{
    (void)state;
    struct guess g = guess_for(SLICE("tunel-idle"));
    guess_try_list(&g, "head body tunnel-idle tunnel-lifetime");
    assert_true(slice_is(g.best, "tunnel-idle"));
    static const char *const swapped[][2] = { { "haed", "head" },
                                              { "idel", "idle" },
                                              { "chekc", "check" },
                                              { "rnu", "run" },
                                              { "atuo", "auto" } };
    for (size_t i = 0; i < countof(swapped); i++) {
        g = guess_for(slice_of(swapped[i][0]));
        guess_try_list(&g, "head body idle check run auto");
        assert_true(slice_is(g.best, swapped[i][1]));
    }
    g = guess_for(SLICE("xyz"));
    guess_try_list(&g, "head body idle");
    assert_int_equal(g.best.n, 0);
    g = guess_for(SLICE("a"));
    guess_try_list(&g, "b c");
    assert_int_equal(g.best.n, 0);
}

/* The beginning of a word is a guess, but never a better one than a word with a slip. */
static void guesses_by_the_beginning(void **state)
{
    (void)state;
    struct guess g = guess_for(SLICE("warn"));
    guess_try_list(&g, "error warning info debug");
    assert_true(slice_is(g.best, "warning"));
    g = guess_for(SLICE("information"));
    guess_try_list(&g, "error warning info debug");
    assert_true(slice_is(g.best, "info"));
    g = guess_for(SLICE("tunnel"));
    guess_try_list(&g, "tunnel-idle tunnels");
    assert_true(slice_is(g.best, "tunnels"));
    g = guess_for(SLICE("in"));
    guess_try_list(&g, "information");
    assert_int_equal(g.best.n, 0);
    check(RIGHT "log error { level warn; }");
    assert_says(&t, "did you mean \"warning\"?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_wrong_value, end),
        cmocka_unit_test_teardown(an_unknown_key, end),
        cmocka_unit_test_teardown(a_key_of_another_block, end),
        cmocka_unit_test_teardown(a_doubled_key, end),
        cmocka_unit_test_teardown(a_missing_reference, end),
        cmocka_unit_test_teardown(a_missing_semicolon, end),
        cmocka_unit_test_teardown(a_missing_semicolon_within_a_line, end),
        cmocka_unit_test_teardown(a_missing_brace, end),
        cmocka_unit_test_teardown(two_missing_braces, end),
        cmocka_unit_test_teardown(a_block_without_end, end),
        cmocka_unit_test_teardown(what_is_missing, end),
        cmocka_unit_test_teardown(a_warning, end),
        cmocka_unit_test_teardown(twenty_and_more, end),
        cmocka_unit_test_teardown(in_the_order_of_the_text, end),
        cmocka_unit_test_teardown(wide_characters, end),
        cmocka_unit_test_teardown(characters_of_other_widths, end),
        cmocka_unit_test_teardown(what_a_terminal_would_obey, end),
        cmocka_unit_test_teardown(controls_do_not_reach_the_terminal, end),
        cmocka_unit_test_teardown(a_long_line_is_clipped, end),
        cmocka_unit_test_teardown(secrets_are_not_shown, end),
        cmocka_unit_test(guesses),
        cmocka_unit_test_teardown(guesses_by_the_beginning, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
