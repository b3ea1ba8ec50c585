/* Addresses, classes, reach and waiting for a look-up, one named case per sentence. */
#include "policy/policy.h"

#include "tests/unit/policy/decide.h"

/* ---- Addresses and reach ---- */

static void an_allow_opens_public_addresses_only(void **state)
{
    (void)state;
    RULES("allow r { to a.example; }", { "GET", "a.example", 80, "allow r" },
          { "GET", "a.example", 80, "allow r", .at = "8.8.8.8" },
          { "GET", "a.example", 80, "deny r destination_metadata", .at = "169.254.169.254" },
          { "GET", "a.example", 80, "deny r destination_loopback", .at = "127.0.0.1" },
          { "GET", "a.example", 80, "deny r destination_loopback", .at = "::1" },
          { "GET", "a.example", 80, "deny r destination_loopback", .at = "0.0.0.0" },
          { "GET", "a.example", 80, "deny r destination_link_local", .at = "169.254.1.1" },
          { "GET", "a.example", 80, "deny r destination_link_local", .at = "fe80::1" },
          { "GET", "a.example", 80, "deny r destination_private", .at = "192.168.1.1" },
          { "GET", "a.example", 80, "deny r destination_private", .at = "100.64.0.1" },
          { "GET", "a.example", 80, "deny r destination_private", .at = "fd00::1" },
          { "GET", "a.example", 80, "deny r destination_multicast", .at = "224.0.0.1" },
          { "GET", "a.example", 80, "deny r destination_reserved", .at = "192.0.2.1" },
          { "GET", "a.example", 80, "deny r destination_private", .at = "64:ff9b::10.0.0.1" });
}

static void reach_opens_classes(void **state)
{
    (void)state;
    RULES("allow r { to a.example; reach private loopback; } allow s { to b.example; reach "
          "metadata; }",
          { "GET", "a.example", 80, "allow r", .at = "10.0.0.1" },
          { "GET", "a.example", 80, "allow r", .at = "127.0.0.1" },
          { "GET", "a.example", 80, "allow r", .at = "8.8.8.8" },
          { "GET", "a.example", 80, "deny r destination_link_local", .at = "169.254.1.1" },
          { "GET", "b.example", 80, "allow s", .at = "169.254.169.254" },
          { "GET", "b.example", 80, "deny s destination_private", .at = "10.0.0.1" });
}

static void metadata_is_never_part_of_private(void **state)
{
    (void)state;
    RULES("allow r { to *; reach private link-local; }",
          { "CONNECT", "169.254.169.254", 443, "deny r destination_metadata" },
          { "CONNECT", "100.100.100.200", 443, "deny r destination_metadata" },
          { "CONNECT", "168.63.129.16", 443, "deny r destination_metadata" },
          { "CONNECT", "[fd00:ec2::254]", 443, "deny r destination_metadata" },
          { "CONNECT", "100.100.100.201", 443, "allow r" },
          { "CONNECT", "169.254.169.253", 443, "allow r" });
}

static void a_literal_is_compared_at_once(void **state)
{
    (void)state;
    RULES("deny r { to 10.0.0.0/8; } allow s { to class private; reach private; } allow t { }",
          { "GET", "10.0.0.1", 80, "deny r rule_denied" }, { "GET", "192.168.0.1", 80, "allow s" },
          { "GET", "8.8.8.8", 80, "allow t" },
          { "GET", "[::ffff:10.0.0.1]", 80, "deny r rule_denied" },
          { "GET", "[fd00::1]", 80, "allow s" });
}

static void every_spelling_of_a_literal(void **state)
{
    (void)state;
    RULES("deny r { to 127.0.0.0/8; } allow s { }",
          { "GET", "127.0.0.1", 80, "deny r rule_denied" },
          { "GET", "127.1", 80, "deny r rule_denied" },
          { "GET", "0x7f000001", 80, "deny r rule_denied" },
          { "GET", "2130706433", 80, "deny r rule_denied" },
          { "GET", "0177.0.0.1.", 80, "deny r rule_denied" },
          { "GET", "[::ffff:7f00:1]", 80, "deny r rule_denied" },
          { "GET", "[::127.0.0.1]", 80, "deny r rule_denied" },
          { "GET", "[64:ff9b::7f00:1]", 80, "deny r rule_denied" },
          { "GET", "[2002:7f00:1::]", 80, "deny r rule_denied" },
          { "GET", "0", 80, "deny s destination_loopback" });
}

/* What carries an IPv4 address may lead there or not: each rule takes the worse of the two. */
static void an_address_that_carries_another(void **state)
{
    (void)state;
    RULES("allow r { to 8.8.8.0/24; } deny s { to 8.8.0.0/16; } deny t { not to 9.0.0.0/8; } "
          "allow u { }",
          { "GET", "8.8.8.8", 80, "allow r" },
          { "GET", "[64:ff9b::8.8.8.8]", 80, "deny s rule_denied" },
          { "GET", "[2002:808:808::1]", 80, "deny s rule_denied" },
          { "GET", "[2001:0:808:808::1]", 80, "deny s rule_denied" },
          { "GET", "a.example", 80, "deny s rule_denied", .at = "64:ff9b::808:808" },
          { "GET", "9.9.9.9", 80, "allow u" },
          { "GET", "[64:ff9b::9.9.9.9]", 80, "deny t rule_denied" });
}

static void a_literal_is_no_host_name(void **state)
{
    (void)state;
    RULES("allow r { to *.example \"list\"; } deny s { not to *.example; }",
          { "GET", "8.8.8.8", 80, "deny s rule_denied" });
}

static void a_name_waits_for_its_addresses(void **state)
{
    (void)state;
    RULES("deny r { to 10.0.0.0/8; } allow s { to .example; } allow t { to class loopback; reach "
          "loopback; }",
          { "GET", "a.example", 80, "address r" },
          { "GET", "a.example", 80, "deny r rule_denied", .at = "10.0.0.1" },
          { "GET", "a.example", 80, "allow s", .at = "8.8.8.8" },
          { "GET", "a.example", 80, "deny s destination_private", .at = "192.168.0.1" },
          { "GET", "a.test", 80, "allow t", .at = "127.0.0.1" },
          { "GET", "a.test", 80, "deny default default_denied", .at = "8.8.8.8" });
}

static void only_a_decision_that_reaches_the_rule_waits(void **state)
{
    (void)state;
    RULES("allow early { to a.example; } deny r { to 10.0.0.0/8; port 81; } "
          "deny s { path /x; to class private; } allow t { }",
          { "GET", "a.example", 81, "allow early" },
          { "GET", "b.example", 80, "allow t" }, /* another condition fails */
          { "GET", "b.example", 81, "address r" },
          { "GET", "b.example", 80, "address s", .path = "/x" },
          { "CONNECT", "b.example", 80, "allow t" }); /* another condition is unknown */
}

static void a_name_that_matches_does_not_wait(void **state)
{
    (void)state;
    RULES("allow r { to *.corp.example 10.0.0.0/8; reach private; }",
          { "GET", "a.corp.example", 80, "allow r" },
          { "GET", "a.corp.example", 80, "allow r", .at = "10.0.0.1" },
          { "GET", "a.corp.example", 80, "allow r", .at = "8.8.8.8" },
          { "GET", "a.corp.example", 80, "deny r destination_loopback", .at = "127.0.0.1" },
          { "GET", "a.example", 80, "address r" },
          { "GET", "a.example", 80, "allow r", .at = "10.0.0.1" },
          { "GET", "a.example", 80, "deny default default_denied", .at = "8.8.8.8" });
}

static void not_waits_as_well(void **state)
{
    (void)state;
    RULES("allow r { not to class private; } allow s { reach private; }",
          { "GET", "a.example", 80, "address r" },
          { "GET", "a.example", 80, "allow r", .at = "8.8.8.8" },
          { "GET", "a.example", 80, "allow s", .at = "10.0.0.1" },
          { "GET", "10.0.0.1", 80, "allow s" });
    RULES("allow r { not to b.example 10.0.0.0/8; }",
          { "GET", "b.example", 80, "deny default default_denied" },
          { "GET", "a.example", 80, "address r" },
          { "GET", "a.example", 80, "allow r", .at = "8.8.8.8" });
}

static void two_conditions_on_one_address(void **state)
{
    (void)state;
    RULES("allow r { to 10.0.0.0/8; not to 10.9.0.0/16; reach private; }",
          { "GET", "a.example", 80, "address r" },
          { "GET", "a.example", 80, "allow r", .at = "10.1.0.1" },
          { "GET", "a.example", 80, "deny default default_denied", .at = "10.9.0.1" });
    RULES("allow r { to a.example; to 10.0.0.0/8; reach private; }",
          { "GET", "a.example", 80, "address r" },
          { "GET", "b.example", 80, "deny default default_denied" },
          { "GET", "a.example", 80, "allow r", .at = "10.1.0.1" });
}

static void classes_in_to(void **state)
{
    (void)state;
    RULES("deny r { to class public a.example class reserved; } "
          "allow s { reach metadata loopback link-local private multicast reserved; }",
          { "GET", "8.8.8.8", 80, "deny r rule_denied" },
          { "GET", "192.0.2.1", 80, "deny r rule_denied" },
          { "GET", "a.example", 80, "deny r rule_denied" }, { "GET", "b.example", 80, "address r" },
          { "GET", "10.0.0.1", 80, "allow s" }, { "GET", "127.0.0.1", 80, "allow s" },
          { "GET", "169.254.169.254", 80, "allow s" }, { "GET", "[ff02::1]", 80, "allow s" });
}

/* The path is judged with each form, whatever the address says. */
static void path_and_address_together(void **state)
{
    (void)state;
    RULES("deny r { to 10.0.0.0/8; path /admin; } allow s { reach private; }",
          { "GET", "a.example", 80, "address r", .path = "/x/..%2fadmin" },
          { "GET", "a.example", 80, "address r", .path = "/admin/..%2fx" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x/..%2fadmin",
            .at = "10.0.0.1" },
          { "GET", "a.example", 80, "allow s", .path = "/x/..%2fadmin", .at = "8.8.8.8" },
          { "GET", "a.example", 80, "allow s", .path = "/x" });
    RULES("allow r { to 10.0.0.0/8; path /p; reach private; }",
          { "GET", "a.example", 80, "address r", .path = "/p" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/p/..%2fx" },
          { "GET", "a.example", 80, "allow r", .path = "/p", .at = "10.0.0.1" });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allow_opens_public_addresses_only),
        cmocka_unit_test(reach_opens_classes),
        cmocka_unit_test(metadata_is_never_part_of_private),
        cmocka_unit_test(a_literal_is_compared_at_once),
        cmocka_unit_test(every_spelling_of_a_literal),
        cmocka_unit_test(an_address_that_carries_another),
        cmocka_unit_test(a_literal_is_no_host_name),
        cmocka_unit_test(a_name_waits_for_its_addresses),
        cmocka_unit_test(only_a_decision_that_reaches_the_rule_waits),
        cmocka_unit_test(a_name_that_matches_does_not_wait),
        cmocka_unit_test(not_waits_as_well),
        cmocka_unit_test(two_conditions_on_one_address),
        cmocka_unit_test(classes_in_to),
        cmocka_unit_test(path_and_address_together),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
