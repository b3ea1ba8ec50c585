/* What an explanation holds: the walk of the decision itself, condition by condition. */
#include "policy/explain.h"

#include "tests/unit/policy/decide.h"

static struct policy_text p;
static struct arena a;
static struct explained walk;
static struct policy_decision d;

static void explain(const char *text, const char *method, const char *name, u16 port,
                    const char *path)
{
    static struct host host;
    struct policy_question q = { .client = ip("10.1.2.3"),
                                 .connect = strcmp(method, "CONNECT") == 0,
                                 .method = method_find(slice_of(method)),
                                 .method_text = slice_of(method),
                                 .host = &host,
                                 .port = port,
                                 .path = slice_of(path),
                                 .now_s = 1764000000 };
    struct policy_decision plain;
    p = policy_from(text);
    if (p.policy == NULL)
        fail_msg("%s", p.messages);
    assert_int_equal(host_parse(slice_of(name), &host), FAULT_NONE);
    arena_init(&a, 0);
    policy_explain(p.policy, &q, &a, &d, &walk);
    policy_decide(p.policy, &q, &plain);
    assert_int_equal(plain.action, d.action);
    assert_int_equal(plain.fault, d.fault);
    assert_ptr_equal(plain.rule, d.rule);
    assert_ptr_equal(plain.shadow, d.shadow);
    assert_int_equal(plain.address_free, d.address_free);
}

static void done(void)
{
    arena_free(&a);
    policy_text_free(&p);
}

static void assert_text(struct slice got, const char *want)
{
    if (!slice_is(got, want))
        fail_msg("\"%.*s\" instead of \"%s\"", SLICE_FMT(got), want);
}

static void each_condition_until_one_says_no(void **state)
{
    (void)state;
    explain("policy p { default deny;\n"
            " rules {\n"
            "  deny x { method GET; from 192.0.2.0/24 10.9.0.0/16; to a.test \"b.test\"; }\n"
            "  allow y { not to c.test; }\n"
            "  allow never { }\n"
            " } }",
            "GET", "a.test", 80, "/");
    assert_int_equal(walk.n, 2);
    const struct explained_rule *x = &walk.rule[0];
    assert_int_equal(x->is, EXPLAINED_NO);
    assert_string_equal(x->at.file, "test");
    assert_int_equal(x->at.line, 3);
    assert_int_equal(x->at.column, 3);
    assert_int_equal(x->n, 3); /* in the order in which they are asked */
    assert_text(x->condition[0].text, "to a.test \"b.test\"");
    assert_int_equal(x->condition[0].says, MATCH_YES);
    assert_text(x->condition[0].value, "a.test");
    assert_int_equal(x->condition[0].at.column, 55);
    assert_text(x->condition[1].value, "GET");
    assert_text(x->condition[2].text, "from 192.0.2.0/24 10.9.0.0/16");
    assert_int_equal(x->condition[2].says, MATCH_NO);
    assert_text(x->condition[2].value, "10.1.2.3");
    assert_int_equal(walk.rule[1].is, EXPLAINED_MATCHES);
    assert_text(walk.rule[1].condition[0].text, "not to c.test");
    assert_string_equal(walk.rule[1].action, "allow");
    done();
}

static void those_behind_a_no_are_not_asked(void **state)
{
    (void)state;
    explain("policy p { default deny; rules { deny x { to b.test; path /a; } } }", "GET", "a.test",
            80, "/a");
    assert_true(walk.rule[0].condition[0].asked);
    assert_false(walk.rule[0].condition[1].asked);
    assert_text(walk.rule[0].condition[1].text, "path /a");
    done();
}

static void what_is_passed_over_says_why(void **state)
{
    (void)state;
    explain("policy p { default allow; connect-ports any; rules {"
            " deny a { path /x; } deny b { method PUT; } deny c { port 80; } deny d { status 404; }"
            " redirect e { to e.test; location https://x.test/; mode shadow; } } }",
            "CONNECT", "a.test", 443, NULL);
    static const char *const why[] = { "a tunnel shows none of what it asks about",
                                       "it is about other methods", "it is about other ports",
                                       "it is asked when the answer is there" };
    for (unsigned i = 0; i < countof(why); i++) {
        assert_int_equal(walk.rule[i].is, EXPLAINED_PASSED_OVER);
        assert_string_equal(walk.rule[i].passed_over, why[i]);
        assert_false(walk.rule[i].condition[0].asked);
    }
    assert_int_equal(walk.rule[4].is, EXPLAINED_NO);
    assert_string_equal(walk.rule[4].action, "redirect");
    assert_true(walk.rule[4].shadow);
    done();
}

/* A deny holds by either form of the path, an allow fails by either: that one is shown. */
static void the_form_that_mattered(void **state)
{
    (void)state;
    explain("policy p { default deny; rules { allow y { path /x; } deny x { path /admin; } } }",
            "GET", "a.test", 80, "/x/..%2fadmin");
    assert_true(walk.rule[0].other_form);
    assert_int_equal(walk.rule[0].is, EXPLAINED_NO);
    assert_text(walk.rule[0].condition[0].value, "/admin");
    assert_true(walk.rule[1].other_form);
    assert_int_equal(walk.rule[1].is, EXPLAINED_MATCHES);
    done();
    explain("policy p { default deny; rules { deny x { path /x; } } }", "GET", "a.test", 80,
            "/x/..%2fadmin");
    assert_false(walk.rule[0].other_form);
    assert_text(walk.rule[0].condition[0].value, "/x/..%2Fadmin");
    done();
}

static void addresses_and_ports(void **state)
{
    (void)state;
    explain("policy p { default deny; rules { allow x { to class private; reach private; } } }",
            "GET", "a.test", 80, "/");
    assert_int_equal(walk.rule[0].is, EXPLAINED_WAITS);
    assert_int_equal(d.action, POLICY_NEEDS_ADDRESS);
    done();
    explain("policy p { default deny; rules { allow x { to class private; reach private; } } }",
            "GET", "10.0.0.1", 80, "/");
    assert_text(walk.rule[0].condition[0].value, "10.0.0.1, private");
    done();
    explain("policy p { default deny; rules { allow x { } } }", "GET", "a.test", 25, "/");
    assert_int_equal(walk.n, 0);
    assert_int_equal(d.fault, FAULT_http_port_denied);
    done();
}

static void times_go_both_ways(void **state)
{
    (void)state;
    explain("policy p { time-zone Europe/Berlin; default deny; rules { allow x { time mon-fri "
            "07:00-19:00; } } }",
            "GET", "a.test", 80, "/");
    assert_text(walk.rule[0].condition[0].value, "mon 17:00"); /* 2025-11-24 16:00 UTC */
    assert_int_equal(policy_local(p.policy, 1764000000), 1764000000 + 3600);
    assert_int_equal(policy_moment(p.policy, 1764000000 + 3600), 1764000000);
    assert_int_equal(policy_moment(p.policy, 1751364000 + 7200), 1751364000); /* summer */
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_until_one_says_no),
        cmocka_unit_test(those_behind_a_no_are_not_asked),
        cmocka_unit_test(what_is_passed_over_says_why),
        cmocka_unit_test(the_form_that_mattered),
        cmocka_unit_test(addresses_and_ports),
        cmocka_unit_test(times_go_both_ways),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
