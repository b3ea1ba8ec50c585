/* Lexing and parsing: what is a word, a comment, a statement, a block. */
#include "config_text.h"

static struct trial t;

static const struct node *parse(const char *text)
{
    trial_parse(&t, slice_of(text));
    return t.tree.root.children;
}

static int end(void **state)
{
    (void)state;
    trial_end(&t);
    return 0;
}

static void words_and_blanks(void **state)
{
    (void)state;
    const struct node *n = parse("a b\n\tc\r\n  d;e;");
    assert_true(t.fine);
    assert_int_equal(n->nwords, 4);
    assert_word(n, 3, "d");
    assert_int_equal(n->words[2].at.line, 2);
    assert_int_equal(n->words[2].at.column, 2);
    assert_int_equal(n->words[3].at.line, 3);
    assert_word(n->next, 0, "e");
    assert_null(n->next->next);
}

static void blocks_nest(void **state)
{
    (void)state;
    const struct node *n = parse("a x { b { c; } d; } e{}");
    assert_true(t.fine);
    assert_true(n->block);
    assert_word(n->children->children, 0, "c");
    assert_word(n->children->next, 0, "d");
    assert_ptr_equal(n->children->children->parent, n->children);
    assert_ptr_equal(node_root(n->children->children), &t.tree.root);
    assert_word(n->next, 0, "e");
    assert_true(n->next->block);
}

static void comment_only_where_a_word_may_begin(void **state)
{
    (void)state;
    const struct node *n = parse("# first { ; }\na x#y #z;\n b;#c\n# last");
    assert_true(t.fine);
    assert_int_equal(n->nwords, 3);
    assert_word(n, 1, "x#y");
    assert_word(n, 2, "b");
    assert_null(n->next);
}

static void bare_words_take_what_values_need(void **state)
{
    (void)state;
    const struct node *n =
        parse("a *.x.example [::1]:80 !y ~z a=b $5 http://h/p?q=1&r c\\d 'q' caf\xc3\xa9;");
    assert_true(t.fine);
    assert_word(n, 1, "*.x.example");
    assert_word(n, 4, "~z");
    assert_word(n, 6, "$5");
    assert_word(n, 8, "c\\d");
    assert_word(n, 10, "caf\xc3\xa9");
}

static void quotes(void **state)
{
    (void)state;
    const struct node *n = parse("a \"x y;{}#\" \"q\\\"b\\\\\" \"\";");
    assert_true(t.fine);
    assert_word(n, 1, "x y;{}#");
    assert_word(n, 2, "q\"b\\");
    assert_word(n, 3, "");
    assert_int_equal(n->words[1].kind, WORD_QUOTED);
    assert_int_equal(n->words[1].width, 9);
}

static void regex_as_it_stands(void **state)
{
    (void)state;
    setenv("PROXYD_T", "no", 1);
    const struct node *n = parse("a ~\"^/x\\.y\\\"z\\\\\" ~\"${PROXYD_T}\";");
    assert_true(t.fine);
    assert_int_equal(n->nwords, 3);
    assert_word(n, 1, "^/x\\.y\\\"z\\\\");
    assert_word(n, 2, "${PROXYD_T}");
    assert_int_equal(n->words[1].kind, WORD_REGEX);
}

static void environment(void **state)
{
    (void)state;
    setenv("PROXYD_T", "b; c { \"d\" # ${PROXYD_T}", 1);
    setenv("PROXYD_E", "", 1);
    const struct node *n = parse("a x${PROXYD_T}y \"q ${PROXYD_T}\" ${PROXYD_E};");
    assert_true(t.fine);
    assert_int_equal(n->nwords, 4);
    assert_word(n, 1, "xb; c { \"d\" # ${PROXYD_T}y");
    assert_word(n, 2, "q b; c { \"d\" # ${PROXYD_T}");
    assert_word(n, 3, "");
    assert_null(n->next);
}

static void environment_unset(void **state)
{
    (void)state;
    unsetenv("PROXYD_T");
    parse("a ${PROXYD_T};");
    assert_false(t.fine);
    assert_string_equal(t.said, "t.conf:1:3: error: the environment has no PROXYD_T\n"
                                "    a ${PROXYD_T};\n"
                                "      ^~~~~~~~~~~\n"
                                "    expected it to be set, as in: PROXYD_T=value proxyd ...\n");
}

static void environment_misspelt(void **state)
{
    (void)state;
    static const char *const wrong[] = { "a ${};", "a ${1x};", "a ${x-y};", "a ${x", "a ${x\n};" };
    for (size_t i = 0; i < countof(wrong); i++) {
        if (i)
            trial_end(&t);
        parse(wrong[i]);
        assert_false(t.fine);
        assert_says(&t, "this is not a ${NAME} of the environment");
    }
}

static const struct node *parse_with_one_error(const char *text, const char *says)
{
    const struct node *n = parse(text);
    if (t.diags.errors != 1)
        fail_msg("%s\n%s", text, t.said);
    assert_says(&t, says);
    return n;
}

/* What is in the braces is passed over, whatever it looks like. */
static void environment_misspelt_is_one_error(void **state)
{
    (void)state;
    static const char *const wrong[] = { "a { b ${bad-name}; c; }", "a { b ${X:-y z}/w; c; }",
                                         "a { b \"x ${1} y\"; c; }", "a { b ${x; c; }",
                                         "a { b \"${x\"; c; }" };
    for (size_t i = 0; i < countof(wrong); i++) {
        const struct node *n = parse_with_one_error(wrong[i], "this is not a ${NAME}");
        assert_word(n->children->next, 0, "c");
        assert_true(n->children->words[1].reported);
        trial_end(&t);
    }
}

/* What stands behind it on its line is read all the same. */
static void an_open_quote_is_one_error(void **state)
{
    (void)state;
    static const char *const wrong[] = { "a { b \"x; }\nc { d; }", "a { b ~\"x{2}; }\nc { d; }",
                                         "a { \"b { d; }\n}\nc { d; }",
                                         "a { b \"x y ${PROXYD_UNSET}\x01; }\nc { d; }" };
    for (size_t i = 0; i < countof(wrong); i++) {
        const struct node *n = parse_with_one_error(wrong[i], "the quote is not closed");
        assert_word(n->next, 0, "c");
        assert_null(n->next->next);
        trial_end(&t);
    }
    assert_word(parse("a \"x y ; b;")->next, 0, "b");
    assert_word(t.tree.root.children, 1, "x y");
    trial_end(&t);
}

static void environment_is_for_values(void **state)
{
    (void)state;
    setenv("PROXYD_T", "key", 1);
    parse("${PROXYD_T} x;");
    assert_says(&t, "a key cannot come from the environment");
}

static void environment_utf8(void **state)
{
    (void)state;
    setenv("PROXYD_T", "\xff", 1);
    parse("a ${PROXYD_T};");
    assert_says(&t, "the value of PROXYD_T in the environment is not UTF-8");
}

static void what_lexing_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "a \"x;\nb;", "t.conf:1:3: error: the quote is not closed on its line" },
        { "a ~\"x;\nb;", "t.conf:1:3: error: the quote is not closed on its line" },
        { "a \"x\\", "the quote is not closed on its line" },
        { "a \"x\\\ny\";", "the quote is not closed on its line" },
        { "a \"x\"y;", "t.conf:1:6: error: a blank is missing behind the closing quote" },
        { "a x\"y\";", "t.conf:1:4: error: a quote in the middle of a word" },
        { "a \"x\\n\";", "t.conf:1:5: error: an unknown escape in quotes" },
        { "a x\x01y;", "t.conf:1:4: error: a control character in a word" },
        { "a \"x\x7fy\";", "t.conf:1:5: error: a control character in quotes" },
        { "\"a\" x;", "a statement begins with a bare word" },
        { ";", "t.conf:1:1: error: a \";\" without a statement" },
        { "a {};", "t.conf:1:5: error: a \";\" without a statement" },
        { "}", "t.conf:1:1: error: a \"}\" without a block" },
        { "{ a; } b;", "t.conf:1:1: error: a block without a key" },
        { "a x", "t.conf:1:4: error: a \";\" is missing behind \"x\"" },
        { "a { b x }", "t.conf:1:8: error: a \";\" is missing behind \"x\"" },
        { "include;", "\"include\" takes the name of one file" },
        { "include a b;", "\"include\" takes the name of one file" },
        { "include a { }", "\"include\" is a statement" },
        { "a secret file;", "\"secret file\" needs the name of a file" },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        if (i)
            trial_end(&t);
        parse(cases[i].text);
        assert_false(t.fine);
        assert_says(&t, cases[i].says);
    }
}

static void goes_on_after_errors(void **state)
{
    (void)state;
    const struct node *n = parse("a \"x\nb;\n;\nc { d } }\ne;");
    assert_int_equal(t.diags.errors, 4);
    assert_word(n, 0, "a");
    assert_word(n->next, 0, "c");
    assert_word(n->next->children, 0, "d");
    assert_word(n->next->next, 0, "e");
}

static void byte_order_mark(void **state)
{
    (void)state;
    const struct node *n = parse("\xef\xbb\xbf"
                                 "a b;");
    assert_true(t.fine);
    assert_word(n, 0, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(words_and_blanks, end),
        cmocka_unit_test_teardown(blocks_nest, end),
        cmocka_unit_test_teardown(comment_only_where_a_word_may_begin, end),
        cmocka_unit_test_teardown(bare_words_take_what_values_need, end),
        cmocka_unit_test_teardown(quotes, end),
        cmocka_unit_test_teardown(regex_as_it_stands, end),
        cmocka_unit_test_teardown(environment, end),
        cmocka_unit_test_teardown(environment_unset, end),
        cmocka_unit_test_teardown(environment_misspelt, end),
        cmocka_unit_test(environment_misspelt_is_one_error),
        cmocka_unit_test(an_open_quote_is_one_error),
        cmocka_unit_test_teardown(environment_is_for_values, end),
        cmocka_unit_test_teardown(environment_utf8, end),
        cmocka_unit_test_teardown(what_lexing_refuses, end),
        cmocka_unit_test_teardown(goes_on_after_errors, end),
        cmocka_unit_test_teardown(byte_order_mark, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
