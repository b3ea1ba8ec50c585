/* What is reported as changed between two configurations. */
#include "changes.h"

#include <stdlib.h>

#include "tests/unit/config/config_text.h"

static struct trial t;

static struct noted *note(const char *text)
{
    trial_check(&t, slice_of(text));
    if (!t.fine)
        fail_msg("%s", t.said);
    struct noted *n = noted_of(&t.tree);
    trial_end(&t); /* nothing of the tree is needed */
    return n;
}

static void changes(const char *before, const char *after, const char *expected)
{
    struct noted *a = note(before), *b = note(after);
    char *said;
    size_t n;
    FILE *to = open_memstream(&said, &n);
    u32 count = changes_write(a, b, to), lines = 0;
    fclose(to);
    for (const char *p = said; *p; p++)
        lines += *p == '\n';
    assert_string_equal(said, expected);
    assert_int_equal(count, lines);
    free(said);
    noted_free(a);
    noted_free(b);
}

#define LISTENER "listener a { bind 127.0.0.1:1; mode forward; policy p; }\n"
#define POLICY(rules) "policy p { default allow; rules { " rules " } }\n"
#define ONE "deny one { to *.one.test; } "
#define TWO "allow two { port 80; } "
#define PLAIN LISTENER POLICY(ONE TWO)

static void nothing(void **state)
{
    (void)state;
    changes(PLAIN, PLAIN, "");
    changes(PLAIN, "# a comment\n" POLICY(ONE "\n  " TWO) LISTENER, "");
}

/* Of many statements each is found at once: going over all of them took 8 s. */
static void many(void **state)
{
    (void)state;
    enum { RULES = 30000 };
    char *text;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    fputs(LISTENER "policy p { default allow; rules { ", to);
    for (unsigned i = 0; i < RULES; i++)
        fprintf(to, "deny r%u { port %u; }\n", i, 1 + i % 1000);
    fputs("} }\n", to);
    fclose(to);
    struct noted *before = note(text);
    strstr(text, "r29999 ")[1] = '3'; /* the last one has another name */
    struct noted *after = note(text);
    char *said;
    to = open_memstream(&said, &n);
    assert_int_equal(changes_write(before, after, to), 2);
    fclose(to);
    assert_string_equal(said, "policy p rules deny r29999: removed\n"
                              "policy p rules deny r39999: added\n");
    free(said);
    free(text);
    noted_free(before);
    noted_free(after);
}

static void rules(void **state)
{
    (void)state;
    changes(PLAIN, LISTENER POLICY("deny one { to *.other.test; } " TWO),
            "policy p rules deny one: changed\n");
    changes(PLAIN, LISTENER POLICY("deny one { not to *.one.test; } " TWO),
            "policy p rules deny one: changed\n");
    changes(PLAIN, LISTENER POLICY(TWO ONE), "policy p rules: in another order\n");
    changes(PLAIN, LISTENER POLICY(TWO), "policy p rules deny one: removed\n");
    changes(LISTENER POLICY(ONE), PLAIN, "policy p rules allow two: added\n");
    changes(PLAIN, LISTENER "policy p { default deny; rules { " ONE TWO "} }",
            "policy p: changed\n");
}

static void whole_blocks(void **state)
{
    (void)state;
    static const char web[] = PLAIN "listener w { bind 127.0.0.1:2; mode reverse; routes r; }\n"
                                    "routes r { route all { to pool b; } }\n"
                                    "pool b { server a.test:80; server b.test:80; }\n";
    changes(PLAIN, web, "listener w: added\nroutes r: added\npool b: added\n");
    changes(web, PLAIN, "listener w: removed\nroutes r: removed\npool b: removed\n");
    changes(PLAIN,
            "listener a { bind 127.0.0.1:1 127.0.0.1:2; mode forward; policy p; }\n" POLICY(
                ONE TWO),
            "listener a: changed\n");
}

static void settings(void **state)
{
    (void)state;
    changes(PLAIN, PLAIN "limits { body 5m; }", "limits body: added\n");
    changes(PLAIN "limits { body 5m; head 8k; } timeouts { idle 5s; }",
            PLAIN "limits { body 6m; head 8k; }", "timeouts idle: removed\nlimits body: changed\n");
    changes(
        PLAIN "workers 1; log error { level info; }", PLAIN "workers 2; log error { level debug; }",
        "workers: changed, which takes effect at the next start only\nlog error level: changed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),      cmocka_unit_test(many),     cmocka_unit_test(rules),
        cmocka_unit_test(whole_blocks), cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
