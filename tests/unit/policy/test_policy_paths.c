/* The two forms of a path, one named case per sentence of the manual. */
#include "policy/policy.h"

#include "tests/unit/policy/decide.h"

/* ---- Paths ---- */

static void a_path_is_it_and_all_below(void **state)
{
    (void)state;
    RULES("deny r { path /admin; } deny s { path /dir/; } allow rest { }",
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/admin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/admin/" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/admin/x/y" },
          { "GET", "a.example", 80, "allow rest", .path = "/administrator" },
          { "GET", "a.example", 80, "allow rest", .path = "/adm" },
          { "GET", "a.example", 80, "allow rest", .path = "/Admin" },
          { "GET", "a.example", 80, "allow rest", .path = "/x/admin" },
          { "GET", "a.example", 80, "allow rest", .path = "/" },
          { "GET", "a.example", 80, "deny s rule_denied", .path = "/dir" },
          { "GET", "a.example", 80, "deny s rule_denied", .path = "/dir/" },
          { "GET", "a.example", 80, "deny s rule_denied", .path = "/dir/x" },
          { "GET", "a.example", 80, "allow rest", .path = "/dirx" });
    RULES("allow r { path / ; }", { "GET", "a.example", 80, "allow r", .path = "/" },
          { "GET", "a.example", 80, "allow r", .path = "/x" },
          { "GET", "a.example", 80, "allow r", .path = "" });
    RULES("allow r { path /a /b/c; }", { "GET", "a.example", 80, "allow r", .path = "/a/x" },
          { "GET", "a.example", 80, "allow r", .path = "/b/c" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/b" });
}

static void a_deny_matches_if_either_form_does(void **state)
{
    (void)state;
    RULES("deny r { path /admin; } allow rest { }",
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/%61dmin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x/../admin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/./admin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x/%2e%2e/admin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x/%2E./admin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "//admin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/%2fadmin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/admin%2Fx" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x%2f..%2fadmin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x/..%2fadmin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/admin/..%2fx" },
          { "GET", "a.example", 80, "allow rest", .path = "/admin/../x" },
          { "GET", "a.example", 80, "allow rest", .path = "/%2561dmin" });
}

static void an_allow_matches_only_if_both_forms_do(void **state)
{
    (void)state;
    RULES("allow r { path /public; }", { "GET", "a.example", 80, "allow r", .path = "/public" },
          { "GET", "a.example", 80, "allow r", .path = "/public/x" },
          { "GET", "a.example", 80, "allow r", .path = "/%70ublic/x" },
          { "GET", "a.example", 80, "allow r", .path = "/x/../public" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/public/../admin" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/public/..%2fadmin" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/public%2f..%2fadmin" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "//public" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/public%2fx" });
}

/* A request has such bytes encoded, whoever has encoded them; a pattern says them in any way. */
static void a_pattern_of_bytes_that_no_uri_may_hold(void **state)
{
    (void)state;
    RULES("allow r { path \"/caf\xc3\xa9\" /x[1] /%7Cy; }",
          { "GET", "a.example", 80, "allow r", .path = "/caf%C3%A9/x" },
          { "GET", "a.example", 80, "allow r", .path = "/caf%c3%a9" },
          { "GET", "a.example", 80, "allow r", .path = "/x%5B1%5D" },
          { "GET", "a.example", 80, "allow r", .path = "/%7Cy" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/caf%C3" });
}

static void not_path_in_both_forms(void **state)
{
    (void)state;
    RULES("deny r { not path /public; } allow rest { }",
          { "GET", "a.example", 80, "allow rest", .path = "/public/x" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/public/..%2fadmin" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "//public" });
    RULES("allow r { not path /admin; }", { "GET", "a.example", 80, "allow r", .path = "/x" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/x/..%2fadmin" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/admin/..%2fx" });
}

/* Two path conditions are asked of the same form, not one of each. */
static void a_form_is_tried_as_a_whole(void **state)
{
    (void)state;
    RULES("deny r { path /a; not path /a/b; } allow rest { }",
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/a/c" },
          { "GET", "a.example", 80, "allow rest", .path = "/a/b" },
          /* normalised it is under /a/b, folded it is /c and not under /a */
          { "GET", "a.example", 80, "allow rest", .path = "/a/b/..%2f..%2fc" },
          /* folded /a/c: under /a and not under /a/b */
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/a/b/..%2fc" });
}

static void the_pattern_has_two_forms_too(void **state)
{
    (void)state;
    RULES("deny r { path /%61/b%2Fc; } allow rest { }",
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/a/b%2fc" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/a/b/c/d" },
          { "GET", "a.example", 80, "allow rest", .path = "/a/b" });
}

static void a_path_too_long_to_judge_fails_closed(void **state)
{
    (void)state;
    RULES("deny r { to a.example; path /admin; } deny s { to b.example; not path /admin; } "
          "allow t { to c.example; path /; } allow u { to d.example; not path /admin; } "
          "allow v { to e.example; }",
          { "GET", "a.example", 80, "deny default default_denied", .path = "/x",
            .path_bytes = 16000 },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/x", .path_bytes = 17000 },
          { "GET", "b.example", 80, "deny s rule_denied", .path = "/admin/", .path_bytes = 17000 },
          { "GET", "c.example", 80, "allow t", .path = "/x", .path_bytes = 16000 },
          { "GET", "c.example", 80, "deny default default_denied", .path = "/x",
            .path_bytes = 17000 },
          { "GET", "d.example", 80, "allow u", .path = "/x", .path_bytes = 16384 },
          { "GET", "d.example", 80, "deny default default_denied", .path = "/x",
            .path_bytes = 16385 },
          { "GET", "e.example", 80, "allow v", .path = "/x", .path_bytes = 39000 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_it_and_all_below),
        cmocka_unit_test(a_deny_matches_if_either_form_does),
        cmocka_unit_test(an_allow_matches_only_if_both_forms_do),
        cmocka_unit_test(a_pattern_of_bytes_that_no_uri_may_hold),
        cmocka_unit_test(not_path_in_both_forms),
        cmocka_unit_test(a_form_is_tried_as_a_whole),
        cmocka_unit_test(the_pattern_has_two_forms_too),
        cmocka_unit_test(a_path_too_long_to_judge_fails_closed),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
