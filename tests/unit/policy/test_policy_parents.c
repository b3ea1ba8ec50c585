/* Rules with `via`: the parent looks names up, so conditions on addresses do not see where they
 * lead, and no class of an address is asked about; a destination that is an address is judged as
 * ever. */
#include "tests/unit/policy/decide.h"

static void a_name_has_no_address(void **state)
{
    (void)state;
    RULES("deny inner { to class private; } deny host { to bad.example; } allow rest { via up; }",
          { "GET", "a.example", 80, "allow rest" },
          { "GET", "a.example", 80, "allow rest", .at = "10.0.0.1" },
          { "GET", "a.example", 80, "allow rest", .at = "127.0.0.1" },
          { "CONNECT", "a.example", 443, "allow rest" },
          { "GET", "bad.example", 80, "address inner" },
          { "GET", "bad.example", 80, "deny host rule_denied", .at = "8.8.8.8" },
          { "GET", "10.0.0.1", 80, "deny inner rule_denied" },
          { "GET", "8.8.8.8", 80, "allow rest" },
          { "GET", "0x7f.1", 80, "deny rest destination_loopback" },
          { "GET", "169.254.169.254", 80, "deny rest destination_metadata" });
}

/* Names that no rule with `via` decides about are looked up as ever. */
static void others_have(void **state)
{
    (void)state;
    RULES("deny inner { to class private; } allow up { to *.up.example; via up; }"
          "allow near { to near.example; } ",
          { "GET", "a.up.example", 80, "allow up" }, { "GET", "near.example", 80, "address inner" },
          { "GET", "near.example", 80, "deny inner rule_denied", .at = "10.0.0.1" },
          { "GET", "near.example", 80, "allow near", .at = "8.8.8.8" },
          { "GET", "near.example", 80, "deny near destination_loopback", .at = "127.0.0.1" });
}

/* Never for a name, whatever it leads to: else it would have been looked up after all. */
static void addresses_of_the_rule_itself(void **state)
{
    (void)state;
    RULES("allow nets { to 10.0.0.0/8 a.example; via up; reach private; }"
          "allow rest { to *; reach private; }",
          { "GET", "a.example", 80, "allow nets", .at = "10.0.0.1" },
          { "GET", "b.example", 80, "allow rest" },
          { "GET", "b.example", 80, "allow rest", .at = "10.0.0.1" },
          { "GET", "10.0.0.1", 80, "allow nets" }, { "GET", "8.8.8.8", 80, "allow rest" });
    RULES("allow others { not to 10.0.0.0/8; via up; }",
          { "GET", "b.example", 80, "deny default default_denied" },
          { "GET", "b.example", 80, "deny default default_denied", .at = "8.8.8.8" },
          { "GET", "8.8.8.8", 80, "allow others" });
}

static void in_shadow(void **state)
{
    (void)state;
    struct policy_decision d;
    struct policy_text p = policy_from("policy p { default deny; rules { allow may { to a.example; "
                                       "via up; mode shadow; } allow rest { } } } parent up { }");
    decide(p.policy, &(struct ask){ "GET", "a.example", 80, "" }, &d);
    assert_int_equal(d.action, POLICY_ALLOW);
    assert_true(slice_is(d.rule_name, "rest"));
    assert_true(d.shadow && slice_is(policy_rule_name(d.shadow), "may"));
    assert_false(policy_has_parents(p.policy));
    policy_text_free(&p);
}

static void warned(const char *rules, const char *with)
{
    char text[400];
    snprintf(text, sizeof text, "policy p { default deny; rules { %s } } parent up { }", rules);
    struct policy_text p = policy_from(text);
    assert_int_equal(p.errors, 0);
    if (with && (p.warnings != 1 || strstr(p.messages, with) == NULL))
        fail_msg("%s: %s", rules, p.messages);
    if (with == NULL && p.warnings)
        fail_msg("%s: %s", rules, p.messages);
    policy_text_free(&p);
}

static void warnings(void **state)
{
    (void)state;
    const char *unseen = "the rule \"inner\" does not see where names lead that go through \"up\"";
    warned("deny inner { to class private; } allow rest { via up; }", unseen);
    warned("deny inner { to a.example; to 10.0.0.0/8; } allow rest { via up; }", unseen);
    warned("allow rest { to b.example; via up; } deny inner { to class private; }", NULL);
    warned("deny inner { to a.example; } allow rest { via up; }", NULL);
    warned("allow late { status 200; via up; }", "\"via\" of the rule \"late\" has no effect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_name_has_no_address, no_own_addresses),
        cmocka_unit_test_setup(others_have, no_own_addresses),
        cmocka_unit_test_setup(addresses_of_the_rule_itself, no_own_addresses),
        cmocka_unit_test_setup(in_shadow, no_own_addresses),
        cmocka_unit_test(warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
