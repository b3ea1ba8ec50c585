/* What `check` says about a policy: errors, warnings, and silence where all is well. */
#include "policy/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policy/policy_text.h"

struct row {
    const char *text;    /* inside of policy p { … } */
    const char *message; /* a part of the first one; NULL: nothing is reported */
    bool warning;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[2000];
        snprintf(text, sizeof text, "policy p { %s }", rows[i].text);
        struct policy_text p = policy_from(text);
        u32 errors = rows[i].message && !rows[i].warning, warnings = rows[i].warning;
        if (p.errors != errors || p.warnings != warnings ||
            (rows[i].message && !strstr(p.messages, rows[i].message)))
            fail_msg("%s: %u errors, %u warnings:\n%s", rows[i].text, p.errors, p.warnings,
                     p.messages);
        assert_int_equal(p.policy == NULL, errors > 0);
        policy_text_free(&p);
    }
}
#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const struct row rows[] = { __VA_ARGS__ };                                          \
        check_rows(rows, countof(rows));                                                           \
    } while (0)

static void good(void **state)
{
    (void)state;
    CHECK({ "default allow;", NULL, false }, { "default deny;", NULL, false },
          { "default deny \"text\";", NULL, false },
          { "clients 10.0.0.0/8; connect-ports any; http-ports any; default deny;", NULL, false },
          { "default deny; rules { }", NULL, false },
          { "default deny; rules { allow a { to b.example; } deny c { } }", NULL, false },
          { "default deny; rules { allow a { reach private loopback; } }", NULL, false },
          { "default deny; rules { allow a { not to class private; } allow b { } }", NULL, false });
}

static void required_and_single(void **state)
{
    (void)state;
    CHECK({ "", "\"default\" is missing", false },
          { "default deny; default allow;", "second time", false },
          { "default;", "needs a value", false }, { "default maybe;", "not known", false },
          { "default deny a b;", "takes only 2 words", false },
          { "default allow \"text\";", "takes no text", false },
          { "default deny; clients;", "needs a value", false },
          { "default deny; clients 10.0.0.1/8;", "bits set behind its prefix", false },
          { "default deny; clients a.example;", "not a network", false },
          { "default deny; connect-ports 0;", "not a port", false },
          { "default deny; connect-ports 90-80;", "not a port", false },
          { "default deny; http-ports 65536;", "not a port", false },
          { "default deny; auth basic;", "block", false },
          { "default deny; auth basic { }", "\"file\" is missing", false },
          { "default deny; auth basic { file f; realm \"a\\\"b\"; }", "no quote", false },
          { "default deny; auth basic { file f; except-to *; }", "nobody has to say", false },
          { "default deny; auth basic { file /dev/null/f; }", "cannot be read", false });
}

static void names_of_rules(void **state)
{
    (void)state;
    CHECK({ "default deny; rules { allow { } }", "needs a name", false },
          { "default deny; rules { allow a { to x.example; } allow a { } }", "already", false },
          { "default deny; rules { allow a { to x.example; } deny a { } }", "already", false },
          { "default deny; rules { permit a { } }", "not known", false });
}

#define IN_RULE(text) "default deny; rules { allow r { " text " } }"

static void values_of_destinations(void **state)
{
    (void)state;
    CHECK({ IN_RULE("to;"), "needs a value", false },
          { IN_RULE("not;"), "needs a condition", false },
          { IN_RULE("not not to a.example;"), "not", false },
          { IN_RULE("not reach private;"), "cannot stand before", false },
          { IN_RULE("to class;"), "needs a word", false },
          { IN_RULE("to class secret;"), "is not a class", false },
          { IN_RULE("reach public;"), "not known", false },
          { IN_RULE("reach everything;"), "not known", false },
          { IN_RULE("to 10.0.0.1/8;"), "bits set behind its prefix", false },
          { IN_RULE("from 10.0.0.1/8;"), "bits set behind its prefix", false },
          { IN_RULE("from a.example;"), "not a network", false },
          { IN_RULE("to 127.1;"), "not a destination", false },
          { IN_RULE("to *.1;"), "not a destination", false },
          { IN_RULE("to 300.1.1.1;"), "not a destination", false },
          { IN_RULE("to \xc3\xa9..example;"), "not a destination", false },
          { IN_RULE("to \xff.example;"), "UTF-8", false },
          { IN_RULE("to a..b;"), "not a destination", false },
          { IN_RULE("to *a.example;"), "not a destination", false },
          { IN_RULE("to a.*.example;"), "not a destination", false },
          { IN_RULE("to [::1];"), "not a destination", false },
          { IN_RULE("to a.example:80;"), "not a destination", false },
          { IN_RULE("to list ads;"), "there is no block \"list ads\"", false },
          { IN_RULE("to list;"), "needs a word", false },
          { IN_RULE("to category x;"), "behind the name of a list", false });
}

static void values_of_conditions(void **state)
{
    (void)state;
    CHECK({ IN_RULE("to ~\"x(\";"), "missing closing parenthesis (at byte 3)", false },
          { IN_RULE("port ~\"x\";"), "regular expression", false },
          { IN_RULE("url ~\"(*LIMIT_MATCH=9999999)x\";"), "options cannot be set", false },
          { IN_RULE("url ~\"\";"), "it is empty", false },
          { IN_RULE("url banner;"), "is not a regular expression", false },
          { IN_RULE("header ~\"x\";"), "not the name of a field", false },
          { IN_RULE("header a:b;"), "not the name of a field", false },
          { IN_RULE("header a ~\"[\";"), "is wrong", false },
          { IN_RULE("query ~\"x\";"), "has no name before it", false },
          { IN_RULE("query =x;"), "has no name before it", false },
          { IN_RULE("cookie a =x;"), "has no name before it", false },
          { IN_RULE("time;"), "needs a value", false },
          { IN_RULE("time mon-fri;"), "has no hours behind it", false },
          { IN_RULE("time mon tue 07:00-08:00;"), "follows days that have no hours", false },
          { IN_RULE("time 7:00-19:00;"), "neither days nor hours", false },
          { IN_RULE("time 07:00-24:01;"), "neither days nor hours", false },
          { IN_RULE("time 24:00-07:00;"), "neither days nor hours", false },
          { IN_RULE("time 07:00-07:00;"), "neither days nor hours", false },
          { IN_RULE("time mo-fr 07:00-19:00;"), "neither days nor hours", false },
          { IN_RULE("time ~\"x\";"), "neither days nor hours", false },
          { "default deny; time-zone Europe/Nowhere;", "not a time zone", false },
          { "default deny; time-zone ../../../etc/passwd;", "not a time zone", false },
          { IN_RULE("user *;"), "nobody has to say who he is", true },
          { IN_RULE("from group;"), "needs a word", false },
          { IN_RULE("from group g;"), "nobody has to say who he is", true },
          { IN_RULE("user group g;"), "belongs into \"from\"", false },
          { IN_RULE("port http;"), "not a port", false },
          { IN_RULE("path admin;"), "not a path", false },
          { IN_RULE("path /a?b;"), "not a path", false },
          { IN_RULE("method get;"), "case-sensitive", false },
          { IN_RULE("method \"G T\";"), "not a method", false });
}

static void values_of_conditions_on_answers(void **state)
{
    (void)state;
    CHECK({ IN_RULE("status 99;"), "not a status", false },
          { IN_RULE("status 500-400;"), "not a status", false },
          { IN_RULE("length 10;"), "not a range", false },
          { IN_RULE("length 10-x;"), "not a range", false },
          { IN_RULE("length -;"), "not a range", false },
          { IN_RULE("length 2k-1k;"), "not a range", false },
          { IN_RULE("type html;"), "not a media type", false },
          { IN_RULE("type */*;"), "not a media type", false },
          { IN_RULE("type text/h*;"), "not a media type", false },
          { IN_RULE("status 200; reach private;"), "\"reach\" of the rule \"r\" has no effect",
            true },
          { IN_RULE("type a/b; request { set A b; }"), "has no effect", true },
          { "default deny; rules { allow b { } deny r { type a/b; } }", NULL, false });
}

static void values_of_what_rules_do(void **state)
{
    (void)state;
    CHECK({ IN_RULE("request { set A; }"), "needs one more word", false },
          { IN_RULE("request { set A* b; }"), "not the name of a field", false },
          { IN_RULE("request { remove A*b; }"), "not the name of a field", false },
          { "default deny; rules { deny r { request { remove A; } } }", "not known", false },
          { IN_RULE("mode dark;"), "not known", false },
          { IN_RULE("prefer v5;"), "not known", false },
          { IN_RULE("text \"x\";"), "not known", false },
          { "default deny; rules { deny r { respond 302; } }", "too small", false },
          { "default deny; rules { deny r { page /no/such/file; } }", "No such file", false },
          { "default deny; rules { redirect r { } }", "\"location\" is missing", false },
          { "default deny; rules { redirect r { location /x; } }", "absolute URL", false },
          { "default deny; rules { redirect r { location \"http://x/ y\"; } }", "absolute", false },
          { "default deny; rules { redirect r { location http://x/; respond 304; } }", "not known",
            false },
          { "default deny; rules { redirect r { location http://x/; } deny r { to a; } }",
            "already", false },
          { "default deny; rules { deny r { reach private; } }", "not known", false });
}

static void a_rule_behind_a_catch_all(void **state)
{
    (void)state;
#define RULES(text) "default deny; rules { " text " }"
    CHECK({ RULES("allow a { } deny b { to x.example; }"), "\"b\" can never decide", true },
          { RULES("deny a { to *; } allow b { }"), "\"b\" can never decide", true },
          { RULES("allow a { to *; to x.example *; reach private; } allow b { }"), "never", true },
          { RULES("allow a { not to *; } allow b { }"), NULL, false },
          { RULES("allow a { to *; port 80; } allow b { }"), NULL, false },
          { RULES("deny a { text \"x\"; respond 451; } allow b { }"), "never", true },
          { RULES("deny a { mode shadow; } allow b { }"), NULL, false },
          { RULES("allow a { to x.example; } allow b { }"), NULL, false });
}

static void a_deny_by_path_leaves_connect_open(void **state)
{
    (void)state;
    CHECK({ RULES("deny a { to x.example; path /admin; } allow b { }"),
            "\"a\" leaves CONNECT to \"x.example\" open", true },
          { RULES("deny a { path /admin; } allow b { }"), "CONNECT to any host open", true },
          { RULES("deny a { to *; path /admin; } allow b { }"), "CONNECT to any host open", true },
          { "default allow; rules { deny a { to .x.example; path /admin; } }", "leaves CONNECT",
            true },
          { RULES(
                "deny a { to x.example; not path /public; } allow b { to *.x.example x.example; }"),
            "leaves CONNECT", true },
          /* open only behind a look-up: still open */
          { RULES("deny a { to x.example; path /admin; } allow b { to 192.0.1.0/24; }"),
            "leaves CONNECT", true },
          { RULES("deny a { to 192.0.1.1; path /admin; } allow b { }"), "leaves CONNECT", true });
    CHECK({ RULES("deny a { to x.example; path /admin; }"), NULL, false },
          { RULES("deny a { to x.example; path /admin; } allow b { to y.example; }"), NULL, false },
          { RULES("deny t { method CONNECT; } deny a { to x.example; path /admin; } allow b { }"),
            NULL, false },
          { RULES("deny a { to x.example; path /admin; } deny t { method CONNECT; to .x.example; } "
                  "allow b { }"),
            NULL, false },
          { RULES("deny a { to x.example; path /admin; } allow b { method GET; }"), NULL, false },
          { RULES("deny a { to x.example; path /admin; port 80; } allow b { }"), NULL, false },
          { "clients 10.0.0.0/8; " RULES(
                "deny a { to x.example; path /admin; from 10.1.0.0/16; } allow b { from "
                "10.2.0.0/16; }"),
            NULL, false },
          { RULES("deny a { to 10.0.0.1; path /admin; } allow b { }"), NULL, false },
          { RULES("allow a { to x.example; path /public; } deny b { to x.example; }"), NULL,
            false });
}

static void an_allow_without_reach(void **state)
{
    (void)state;
    CHECK({ RULES("allow intra { to 10.0.0.0/8; }"), "the rule \"intra\" can never allow anything",
            true },
          { RULES("allow a { to 10.0.0.0/8 192.168.1.1; }"), "add \"reach private\"\n", true },
          { RULES("allow a { to 10.0.0.0/8 class loopback; }"), "\"reach loopback private\"\n",
            true },
          { RULES("allow a { to 10.0.0.0/8; reach link-local; }"), "reach private", true },
          { RULES("allow a { to 169.254.0.0/16; }"), "\"reach link-local\"\n", true },
          { RULES("allow a { to 169.254.169.254; }"), "\"reach metadata\"\n", true },
          { RULES("allow a { to ::1; port 80; }"), "\"reach loopback\"\n", true },
          { RULES("allow a { to *; to class private; }"), "\"reach private\"\n", true });
    CHECK({ RULES("allow a { to 10.0.0.0/8; reach private; }"), NULL, false },
          { RULES("allow a { to 10.0.0.0/8; reach loopback; }"), NULL,
            false }, /* perhaps our own */
          { RULES("allow a { to 10.0.0.0/8 x.example; }"), NULL, false },
          { RULES("allow a { to 10.0.0.0/8 11.0.0.1; }"), NULL, false },
          { RULES("allow a { to 0.0.0.0/1; }"), NULL, false },
          { RULES("allow a { to class private class public; }"), NULL, false },
          { RULES("allow a { to 64:ff9b::/96; }"), NULL, false },
          { RULES("allow a { not to 10.0.0.0/8; }"), NULL, false },
          { RULES("deny a { to 10.0.0.0/8; }"), NULL, false });
}

static void a_path_of_tunnels(void **state)
{
    (void)state;
    CHECK({ RULES("allow a { method CONNECT; path /x; }"), "the rule \"a\" can never match", true },
          { RULES("deny a { method CONNECT; path /x; } allow b { }"), "is not seen", true },
          { RULES("deny a { method CONNECT; not path /x; } "), "is not seen", true });
    CHECK({ RULES("allow a { method CONNECT GET; path /x; }"), NULL, false },
          { RULES("allow a { not method CONNECT; path /x; }"), NULL, false },
          { RULES("allow a { method connect2; path /x; }"), NULL, false });
}

static void a_from_outside_of_clients(void **state)
{
    (void)state;
    CHECK({ RULES("allow a { from 10.0.0.0/8; }"), "the rule \"a\" can never match", true },
          { "clients 10.0.0.0/8; " RULES("allow a { from 127.0.0.1 11.0.0.0/8; }"),
            "none of these addresses is one of \"clients\"", true },
          { RULES("allow a { from 127.0.0.1; from fd00::/8; }"), "can never match", true });
    CHECK({ RULES("allow a { from 127.1.0.0/16; }"), NULL, false },
          { RULES("allow a { from 0.0.0.0/0; }"), NULL, false },
          { RULES("allow a { not from 10.0.0.0/8; }"), NULL, false },
          { RULES("allow a { from 10.0.0.0/8 ::1; }"), NULL, false },
          { "clients 10.0.0.0/8; " RULES("allow a { from 10.1.0.0/16; }"), NULL, false });
}

static void conditions_that_exclude_each_other(void **state)
{
    (void)state;
    CHECK({ RULES("allow a { to x.example; to y.example; }"),
            "alternatives are values of one: to x.example y.example;", true },
          { RULES("allow a { to .x.example; to *.y.example z.example; }"), "never match", true },
          { RULES("allow a { port 80; port 443; }"), "never match", true },
          { RULES("allow a { method GET; method HEAD POST; }"), "never match", true },
          { "clients 10.0.0.0/8; " RULES("allow a { from 10.1.0.0/16; from 10.2.0.0/16; }"),
            "never match", true });
    CHECK({ RULES("allow a { to x.example; to .x.example; }"), NULL, false },
          { RULES("allow a { to *.x.example; to b.x.example y.example; }"), NULL, false },
          { RULES("allow a { to x.example; not to y.example; }"), NULL, false },
          { RULES("allow a { to x.example; to 10.0.0.0/8; reach private; }"), NULL, false },
          { RULES("allow a { to x.example; to ~\"x\"; }"), NULL, false },
          { RULES("allow a { port 8080-8090; port 8085; }"), NULL, false },
          { RULES("allow a { path /a; path /b; }"), NULL, false });
}

static void ports_that_are_refused_before(void **state)
{
    (void)state;
    CHECK({ RULES("allow a { port 22; }"), "add it to \"connect-ports\" of the policy", true },
          { RULES("allow a { port 8443; method CONNECT; }"), "connect-ports", true },
          { RULES("allow a { port 22; method GET; }"), "http-ports", true },
          { RULES("deny a { port 1-79; }"), "never match", true });
    CHECK({ RULES("allow a { port 8443; }"), NULL, false },
          { "connect-ports 22; " RULES("allow a { port 22; method CONNECT; }"), NULL, false },
          { RULES("allow a { port 22 443; }"), NULL, false },
          { RULES("allow a { not port 22; }"), NULL, false });
}

static void rules_behind_others_that_take_everything(void **state)
{
    (void)state;
    CHECK({ RULES("allow a { to .x.example; } deny b { to a.x.example; }"),
            "the rule \"b\" can never decide", true },
          { RULES("allow a { to .x.example; } allow b { to x.example *.x.example; port 443; }"),
            "\"a\" at ", true },
          { RULES(
                "deny a { from 127.0.0.0/8; port 1-65535; } allow b { from 127.0.0.1; port 80; }"),
            "never decide", true },
          { RULES("deny a { path /x; } allow b { path /x; to y.example; }"), "\"b\" can never",
            true },
          { RULES("deny a { not to x.example; } allow b { not to x.example; method GET; }"),
            "\"b\" can never", true });
    CHECK({ RULES("allow a { to *.x.example; } deny b { to x.example; }"), NULL, false },
          { RULES("allow a { to a.x.example; } deny b { to .x.example; }"), NULL, false },
          { RULES("allow a { to x.example; port 443; } deny b { to x.example; }"), NULL, false },
          { RULES("deny a { to x.example; mode shadow; } deny b { to x.example; }"), NULL, false },
          { RULES("allow a { path /x; } deny b { path /x; method GET; }"), NULL, false },
          { RULES("allow a { to x.example; } deny b { to x.example; type a/b; }"), NULL, false },
          { RULES("deny a { to 10.0.0.0/8; } allow b { to x.example; }"), NULL, false });
}

static void regular_expressions(void **state)
{
    (void)state;
    CHECK({ RULES("deny a { url ~\"^https?://([^/]*\\.)?ads\\.example(:[0-9]+)?(/|$)\"; }"),
            "\"to .ads.example\" says the same", true },
          { RULES("deny a { to ~\"(^|\\.)ads\\.example$\"; }"), "to .ads.example", true },
          { RULES("deny a { url ~\"ads.example.com\"; }"), "its dots match any character", true },
          { RULES("deny a { url ~\"ads\\.example\\.com\"; }"), "looks like a domain", true },
          { RULES("deny a { url ~\"http://a.example/x\\.y\"; }"), NULL, false },
          { RULES("deny a { url ~\"http://host/secret\"; }"), "is a plain text", true },
          { RULES("deny a { url ~\"/(a+)+$\"; }"), "needs more than 50000 steps", true },
          { RULES("deny a { url ~\"^http://[^/]+/(x|x)*y\"; }"), "steps", true },
          { RULES("deny a { url ~\"/banner(.*)(.*)(.*)(.*)z\"; }"), "steps", true },
          { RULES("deny a { header X ~\"^([a-z0-9]+-?)+$\"; }"), "steps", true });
    CHECK({ RULES("deny a { url ~\"^http://[^/]+/(banner|sponsor)s?/\"; }"), NULL, false },
          { RULES("deny a { url ~\"\\.exe$\" ~\"/ads/\" ~\"[?&]id=[0-9]+(&|$)\"; }"), NULL, false },
          { RULES("deny a { url ~\"banner.*[0-9]+x[0-9]+.*gif\"; }"), NULL, false },
          { RULES("deny a { to ~\"^ads[0-9]*[.]\"; }"), NULL, false });
}

static void several_errors_in_one_run(void **state)
{
    (void)state;
    struct policy_text p = policy_from("policy p {\n clients x;\n rules {\n  allow a { port 0; }\n"
                                       "  allow a { to class x; }\n }\n}");
    assert_null(p.policy);
    assert_int_equal(p.errors, 5); /* the four, and the missing default */
    policy_text_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(required_and_single),
        cmocka_unit_test(names_of_rules),
        cmocka_unit_test(values_of_destinations),
        cmocka_unit_test(values_of_conditions),
        cmocka_unit_test(values_of_conditions_on_answers),
        cmocka_unit_test(values_of_what_rules_do),
        cmocka_unit_test(a_rule_behind_a_catch_all),
        cmocka_unit_test(a_deny_by_path_leaves_connect_open),
        cmocka_unit_test(an_allow_without_reach),
        cmocka_unit_test(a_path_of_tunnels),
        cmocka_unit_test(a_from_outside_of_clients),
        cmocka_unit_test(conditions_that_exclude_each_other),
        cmocka_unit_test(ports_that_are_refused_before),
        cmocka_unit_test(rules_behind_others_that_take_everything),
        cmocka_unit_test(regular_expressions),
        cmocka_unit_test(several_errors_in_one_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
