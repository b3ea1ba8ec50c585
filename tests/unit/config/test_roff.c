/* Manual pages: what a formatter would take for a request of its own is text. */
#include "config/roff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(void (*put)(FILE *, const char *), const char *from, const char *expected)
{
    char *got;
    size_t n;
    FILE *f = open_memstream(&got, &n);
    assert_non_null(f);
    put(f, from);
    fclose(f);
    assert_string_equal(got, expected);
    free(got);
}

static void text_is_text(void **state)
{
    (void)state;
    check(roff_text, ".host 'x' a-b c:\\d", "\\&.host \\(aqx\\(aq a\\-b c:\\ed\n");
    check(roff_text, "one\ntwo\n\nthree", "one two\n.PP\nthree\n");
    check(roff_text, "see [Jobs](#jobs) and `a[0](1)`", "see Jobs and \\fBa[0](1)\\fR\n");
}

/* Each line that breaking makes is one more chance to begin with a dot. */
static void lines_are_short(void **state)
{
    (void)state;
    char text[401], expected[500] = "";
    for (int i = 0; i < 100; i++)
        memcpy(text + 4 * (size_t)i, ".ab ", 5);
    for (int line = 0; line < 6; line++) {
        strcat(expected, "\\&");
        for (int i = 0, n = line < 5 ? 17 : 15; i < n; i++)
            strcat(expected, i + 1 < n ? ".ab " : ".ab\n");
    }
    text[399] = 0;
    check(roff_text, text, expected);
}

static void markdown(void **state)
{
    (void)state;
    check(roff_markdown,
          "# T\n\nleft out\n\n## `a` b\n\nText.\n\n| key | values | default | meaning |\n"
          "|---|---|---|---|\n| `k` | `x\\|y` | `1` | What. |\n\nMore:\n\n```\n.x\n```\n",
          ".SH a b\nText.\n.TP\n\\fBk\\fR \\fBx|y\\fR\nWhat.\n.br\ndefault: \\fB1\\fR\n.PP\nMore:\n"
          ".PP\n.RS 4\n.EX\n\\&.x\n.EE\n.RE\n");
}

static void help(void **state)
{
    (void)state;
    check(roff_help, "Does\nit.\n\nusage: p x\n\n  -a   b\n\nexample:\n  p\n",
          "Does it.\n.PP\n.RS 4\n.EX\nusage: p x\n\n  \\-a   b\n.EE\n.RE\n.PP\nexample:\n"
          ".PP\n.RS 4\n.EX\n  p\n.EE\n.RE\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_text),
        cmocka_unit_test(lines_are_short),
        cmocka_unit_test(markdown),
        cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
