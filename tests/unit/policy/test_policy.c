/*
 * The decisions of a policy, one named case per sentence of the manual about the policy itself and
 * about conditions and what is unknown. Paths and addresses have files of their own.
 */
#include "policy/policy.h"

#include "tests/unit/policy/decide.h"

/* ---- Policy ---- */

static void default_deny_and_allow(void **state)
{
    (void)state;
    DECIDE("default deny;", { "GET", "a.example", 80, "deny default default_denied" });
    DECIDE("default allow;", { "GET", "a.example", 80, "allow default" });
}

static void default_allow_has_no_reach(void **state)
{
    (void)state;
    DECIDE("default allow;", { "GET", "a.example", 80, "allow default", .at = "192.0.1.1" },
           { "GET", "a.example", 80, "deny default destination_private", .at = "10.0.0.1" },
           { "GET", "127.0.0.1", 80, "deny default destination_loopback" });
}

static void default_deny_gives_its_text(void **state)
{
    (void)state;
    struct policy_text p = policy_from("policy p { default deny \"not on the list\"; }");
    struct policy_decision d;
    assert_non_null(p.policy);
    decide(p.policy, &(struct ask){ "GET", "a.example", 80, NULL }, &d);
    assert_true(slice_is(d.reason, "not on the list"));
    assert_null(d.rule);
    assert_true(d.address_free);
    decide(p.policy, &(struct ask){ "GET", "a.example", 22, NULL }, &d);
    assert_int_equal(d.fault, FAULT_http_port_denied);
    assert_int_equal(d.reason.n, 0);
    policy_text_free(&p);
}

static void ports_by_default(void **state)
{
    (void)state;
    DECIDE("default allow;", { "CONNECT", "a.example", 443, "allow default" },
           { "CONNECT", "a.example", 80, "deny connect-ports connect_port_denied" },
           { "CONNECT", "a.example", 8443, "deny connect-ports connect_port_denied" },
           { "CONNECT", "a.example", 22, "deny connect-ports connect_port_denied" },
           { "GET", "a.example", 80, "allow default" },
           { "GET", "a.example", 443, "allow default" },
           { "GET", "a.example", 1024, "allow default" },
           { "GET", "a.example", 65535, "allow default" },
           { "GET", "a.example", 1023, "deny http-ports http_port_denied" },
           { "GET", "a.example", 25, "deny http-ports http_port_denied" },
           { "GET", "a.example", 22, "deny http-ports http_port_denied" });
}

static void ports_as_configured(void **state)
{
    (void)state;
    DECIDE("default allow; connect-ports 443 8000-8999; http-ports 80;",
           { "CONNECT", "a.example", 443, "allow default" },
           { "CONNECT", "a.example", 8999, "allow default" },
           { "CONNECT", "a.example", 9000, "deny connect-ports connect_port_denied" },
           { "GET", "a.example", 80, "allow default" },
           { "GET", "a.example", 8080, "deny http-ports http_port_denied" });
    DECIDE("default allow; connect-ports any; http-ports any;",
           { "CONNECT", "a.example", 1, "allow default" },
           { "CONNECT", "a.example", 65535, "allow default" },
           { "GET", "a.example", 25, "allow default" });
}

static void ports_come_before_rules(void **state)
{
    (void)state;
    DECIDE("default deny; rules { allow all { } }",
           { "CONNECT", "a.example", 22, "deny connect-ports connect_port_denied" },
           { "GET", "a.example", 22, "deny http-ports http_port_denied" },
           { "GET", "a.example", 80, "allow all" });
}

static void clients(void **state)
{
    static const struct {
        const char *text, *addr;
        bool allowed;
    } rows[] = {
        { "", "127.0.0.1", true },
        { "", "127.255.0.1", true },
        { "", "::1", true },
        { "", "10.0.0.1", false },
        { "", "::2", false },
        { "clients 10.0.0.0/8 fc00::/7;", "10.9.8.7", true },
        { "clients 10.0.0.0/8 fc00::/7;", "fd00::1", true },
        { "clients 10.0.0.0/8 fc00::/7;", "127.0.0.1", false },
        { "clients 10.0.0.0/8 fc00::/7;", "::ffff:10.1.1.1", true },
        { "clients 10.1.2.3;", "10.1.2.3", true },
        { "clients 10.1.2.3;", "10.1.2.4", false },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        char text[200];
        snprintf(text, sizeof text, "policy p { default deny; %s }", rows[i].text);
        struct policy_text p = policy_from(text);
        struct addr a = ip(rows[i].addr);
        assert_non_null(p.policy);
        if (policy_client_allowed(p.policy, &a) != rows[i].allowed)
            fail_msg("%s with %s", rows[i].addr, rows[i].text);
        policy_text_free(&p);
    }
}

static void the_first_match_decides(void **state)
{
    (void)state;
    RULES("deny first { to a.example; } allow second { to a.example b.example; } deny third { }",
          { "GET", "a.example", 80, "deny first rule_denied" },
          { "GET", "b.example", 80, "allow second" },
          { "GET", "c.example", 80, "deny third rule_denied" });
    RULES("allow first { to a.example; } deny second { to .example; }",
          { "GET", "a.example", 80, "allow first" },
          { "GET", "b.example", 80, "deny second rule_denied" },
          { "GET", "b.test", 80, "deny default default_denied" });
}

/* ---- Conditions ---- */

static void all_conditions_of_a_rule_must_hold(void **state)
{
    (void)state;
    RULES(
        "allow r { to a.example; port 80; method GET; from 10.0.0.0/8; path /x; }",
        { "GET", "a.example", 80, "allow r", .path = "/x", .from = "10.0.0.1" },
        { "GET", "b.example", 80, "deny default default_denied", .path = "/x", .from = "10.0.0.1" },
        { "GET", "a.example", 81, "deny default default_denied", .path = "/x", .from = "10.0.0.1" },
        { "PUT", "a.example", 80, "deny default default_denied", .path = "/x", .from = "10.0.0.1" },
        { "GET", "a.example", 80, "deny default default_denied", .path = "/y", .from = "10.0.0.1" },
        { "GET", "a.example", 80, "deny default default_denied", .path = "/x",
          .from = "11.0.0.1" });
}

static void values_of_one_condition_are_alternatives(void **state)
{
    (void)state;
    RULES("allow r { to a.example b.example; port 80 8000-8010; method GET PUT; }",
          { "GET", "a.example", 80, "allow r" }, { "PUT", "b.example", 8000, "allow r" },
          { "PUT", "b.example", 8010, "allow r" },
          { "POST", "b.example", 80, "deny default default_denied" },
          { "GET", "c.example", 80, "deny default default_denied" },
          { "GET", "a.example", 8011, "deny default default_denied" });
}

static void a_rule_without_conditions_matches_everything(void **state)
{
    (void)state;
    RULES("allow all { }", { "GET", "a.example", 80, "allow all" },
          { "CONNECT", "a.example", 443, "allow all" }, { "GET", "8.8.8.8", 80, "allow all" });
    RULES("deny all { }", { "GET", "a.example", 80, "deny all rule_denied" },
          { "CONNECT", "a.example", 443, "deny all rule_denied" });
}

static void a_condition_may_repeat_and_each_must_hold(void **state)
{
    (void)state;
    RULES("allow r { from 10.0.0.0/8; from 10.1.0.0/16 192.168.0.0/16; }",
          { "GET", "a.example", 80, "allow r", .from = "10.1.0.1" },
          { "GET", "a.example", 80, "deny default default_denied", .from = "10.2.0.1" },
          { "GET", "a.example", 80, "deny default default_denied", .from = "192.168.0.1" });
    RULES("allow r { to *.example; not to *.bad.example; }",
          { "GET", "good.example", 80, "allow r" },
          { "GET", "x.bad.example", 80, "deny default default_denied" },
          { "GET", "bad.example", 80, "allow r" });
}

static void not_covers_the_whole_condition(void **state)
{
    (void)state;
    RULES("allow r { not to a.example b.example; }",
          { "GET", "a.example", 80, "deny default default_denied" },
          { "GET", "b.example", 80, "deny default default_denied" },
          { "GET", "c.example", 80, "allow r" });
    RULES("allow r { not port 80 8000-8999; not method PUT POST; not from 10.0.0.0/8; }",
          { "GET", "a.example", 443, "allow r" },
          { "GET", "a.example", 8500, "deny default default_denied" },
          { "POST", "a.example", 443, "deny default default_denied" },
          { "GET", "a.example", 443, "deny default default_denied", .from = "10.0.0.1" });
}

static void hosts(void **state)
{
    (void)state;
    RULES("allow bare { to a.example; } allow below { to *.b.example; } allow both { to "
          ".c.example; }",
          { "GET", "a.example", 80, "allow bare" }, { "GET", "A.EXAMPLE", 80, "allow bare" },
          { "GET", "a.example.", 80, "allow bare" },
          { "GET", "x.a.example", 80, "deny default default_denied" },
          { "GET", "xa.example", 80, "deny default default_denied" },
          { "GET", "b.example", 80, "deny default default_denied" },
          { "GET", "x.b.example", 80, "allow below" },
          { "GET", "x.y.b.example", 80, "allow below" },
          { "GET", "xb.example", 80, "deny default default_denied" },
          { "GET", "c.example", 80, "allow both" }, { "GET", "x.c.example", 80, "allow both" },
          { "GET", "xc.example", 80, "deny default default_denied" });
    RULES("allow r { to A.Example. *.B.Example. .C.Example.; }",
          { "GET", "a.example", 80, "allow r" }, { "GET", "x.b.example", 80, "allow r" },
          { "GET", "c.example", 80, "allow r" });
}

static void star_is_every_destination(void **state)
{
    (void)state;
    RULES("allow r { to *; }", { "GET", "a.example", 80, "allow r" },
          { "GET", "8.8.8.8", 80, "allow r" }, { "GET", "[2606:4700::1]", 80, "allow r" },
          { "GET", "a.example", 80, "allow r", .parent = true });
    RULES("allow r { not to *; }", { "GET", "a.example", 80, "deny default default_denied" });
}

static void a_quoted_host_is_a_host(void **state)
{
    (void)state;
    RULES("allow r { to \"list\"; }", { "GET", "list", 80, "allow r" });
}

static void a_bare_address_is_its_own_network(void **state)
{
    (void)state;
    RULES("allow r { to 8.8.8.8 2606:4700::1; from 10.0.0.1; }",
          { "GET", "8.8.8.8", 80, "allow r", .from = "10.0.0.1" },
          { "GET", "8.8.8.9", 80, "deny default default_denied", .from = "10.0.0.1" },
          { "GET", "[2606:4700::1]", 80, "allow r", .from = "10.0.0.1" },
          { "GET", "[2606:4700::2]", 80, "deny default default_denied", .from = "10.0.0.1" },
          { "GET", "8.8.8.8", 80, "deny default default_denied", .from = "10.0.0.2" });
}

static void methods(void **state)
{
    (void)state;
    RULES("allow r { method GET PROPFIND; }", { "GET", "a.example", 80, "allow r" },
          { "PROPFIND", "a.example", 80, "allow r" },
          { "get", "a.example", 80, "deny default default_denied" },
          { "propfind", "a.example", 80, "deny default default_denied" },
          { "PROPPATCH", "a.example", 80, "deny default default_denied" },
          { "CONNECT", "a.example", 443, "deny default default_denied" });
    RULES("deny tunnels { method CONNECT; } allow rest { }",
          { "CONNECT", "a.example", 443, "deny tunnels rule_denied" },
          { "GET", "a.example", 443, "allow rest" });
    RULES("allow r { not method PUT PROPFIND; }", { "PROPPATCH", "a.example", 80, "allow r" },
          { "PROPFIND", "a.example", 80, "deny default default_denied" },
          { "PUT", "a.example", 80, "deny default default_denied" });
}

/* ---- Unknown is not a match ---- */

static void a_path_in_a_tunnel_is_unknown(void **state)
{
    (void)state;
    RULES("deny r { to a.example; path /admin; } allow rest { }",
          { "CONNECT", "a.example", 443, "allow rest" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/admin" });
    RULES("deny r { to a.example; not path /public; } allow rest { }",
          { "CONNECT", "a.example", 443, "allow rest" },
          { "GET", "a.example", 80, "deny r rule_denied", .path = "/admin" },
          { "GET", "a.example", 80, "allow rest", .path = "/public" });
    RULES("allow r { path /; }", { "CONNECT", "a.example", 443, "deny default default_denied" },
          { "GET", "a.example", 80, "allow r" });
    RULES("allow r { not path /admin; }",
          { "CONNECT", "a.example", 443, "deny default default_denied" },
          { "GET", "a.example", 80, "allow r" });
}

static void an_address_that_a_parent_resolves_is_unknown(void **state)
{
    (void)state;
    RULES("deny nets { to 10.0.0.0/8; } deny others { not to 10.0.0.0/8; } "
          "deny classes { to class private; } allow rest { not to class private; } allow last { }",
          { "GET", "a.example", 80, "allow last", .parent = true },
          { "GET", "a.example", 80, "address nets" },
          { "GET", "10.0.0.1", 80, "deny nets rule_denied", .parent = true },
          { "GET", "8.8.8.8", 80, "deny others rule_denied", .parent = true });
    RULES(
        "allow r { to a.example 10.0.0.0/8; } deny s { not to b.example 10.0.0.0/8; } allow t { }",
        { "GET", "a.example", 80, "allow r", .parent = true },
        { "GET", "b.example", 80, "allow t", .parent = true },
        { "GET", "c.example", 80, "allow t", .parent = true });
}

/* ---- what the caller may rely on ---- */

static void address_free(void **state)
{
    static const struct {
        struct ask ask;
        bool free;
        u8 reach;
    } rows[] = {
        { { "GET", "a.example", 80, NULL }, true, CLASS_BIT(CLASS_PRIVATE) },
        { { "GET", "a.example", 80, NULL, .at = "8.8.8.8" }, true, CLASS_BIT(CLASS_PRIVATE) },
        { { "GET", "b.example", 80, NULL }, false, 0 },
        { { "GET", "b.example", 80, NULL, .at = "8.8.8.8" }, false, CLASS_BIT(CLASS_LOOPBACK) },
        { { "GET", "b.example", 80, NULL, .at = "10.0.0.1" }, false, 0 },
        { { "GET", "8.8.8.8", 80, NULL }, true, CLASS_BIT(CLASS_LOOPBACK) },
        { { "CONNECT", "a.example", 22, NULL }, true, 0 },
    };
    (void)state;
    struct policy_text p = policy_from("policy p { default deny; rules {"
                                       " allow r { to a.example; reach private; }"
                                       " deny s { to 10.0.0.0/8; }"
                                       " allow t { reach loopback; } } }");
    assert_non_null(p.policy);
    for (size_t i = 0; i < countof(rows); i++) {
        struct policy_decision d;
        decide(p.policy, &rows[i].ask, &d);
        assert_int_equal(d.address_free, rows[i].free);
        assert_int_equal(d.reach, rows[i].reach);
    }
    policy_text_free(&p);
}

/* The cheap way (policy_class_allowed on an address_free decision) and the full one agree. */
/* Rules are passed over by masks in which ports share bits and unknown methods one bit. */
static void what_shares_a_bit_is_told_apart(void **state)
{
    (void)state;
    DECIDE("default allow; http-ports any; rules { deny port { port 80; } }",
           { "GET", "a.example", 80, "deny port rule_denied" },
           { "GET", "a.example", 144, "allow default" },
           { "GET", "a.example", 16, "allow default" });
    DECIDE("default allow; http-ports any; rules { deny wide { port 100-300; not port 200; } }",
           { "GET", "a.example", 99, "allow default" },
           { "GET", "a.example", 100, "deny wide rule_denied" },
           { "GET", "a.example", 163, "deny wide rule_denied" },
           { "GET", "a.example", 164, "deny wide rule_denied" },
           { "GET", "a.example", 200, "allow default" },
           { "GET", "a.example", 264, "deny wide rule_denied" },
           { "GET", "a.example", 300, "deny wide rule_denied" },
           { "GET", "a.example", 301, "allow default" });
    DECIDE(
        "default allow; rules { deny one { method MKCOL; } deny other { not method PURGE GET; } }",
        { "MKCOL", "a.example", 80, "deny one rule_denied" },
        { "PURGE", "a.example", 80, "allow default" }, { "GET", "a.example", 80, "allow default" },
        { "mkcol", "a.example", 80, "deny other rule_denied" },
        { "POST", "a.example", 80, "deny other rule_denied" });
    DECIDE("default allow; rules { deny names { not to a.example; } }",
           { "GET", "192.0.1.1", 80, "deny names rule_denied" },
           { "GET", "a.example", 80, "allow default" });
}

static void cheap_and_full_way_agree(void **state)
{
    static const char *const addrs[] = { "8.8.8.8", "10.0.0.1", "127.0.0.1", "169.254.169.254",
                                         "fe80::1", "ff02::1",  "192.0.2.1", "64:ff9b::a00:1" };
    (void)state;
    struct policy_text p = policy_from("policy p { default allow; rules {"
                                       " allow r { to a.example; reach private; } } }");
    assert_non_null(p.policy);
    for (unsigned i = 0; i < 2 * countof(addrs); i++) {
        struct ask ask = { "GET", i & 1 ? "a.example" : "b.example", 80, NULL };
        struct policy_decision before, after;
        decide(p.policy, &ask, &before);
        assert_true(before.address_free);
        ask.at = addrs[i / 2];
        decide(p.policy, &ask, &after);
        enum fault why;
        struct addr a = ip(ask.at);
        bool allowed = policy_class_allowed(before.reach, &a, &why);
        assert_int_equal(allowed, after.action == POLICY_ALLOW);
        if (!allowed)
            assert_int_equal(why, after.fault);
    }
    policy_text_free(&p);
}

static void a_shadow_is_noted_and_does_not_decide(void **state)
{
    (void)state;
    struct policy_text p = policy_from(
        "policy p { default allow; rules { deny a { to .a.example; mode shadow; } deny b { to "
        "10.0.0.1; mode shadow; } allow c { to b.a.example; mode shadow; } deny d { to "
        "d.a.example; "
        "} } }");
    struct policy_decision d;
    decide(p.policy, &(struct ask){ "GET", "d.a.example", 80 }, &d);
    assert_true(d.action == POLICY_DENY && slice_is(d.rule_name, "d"));
    assert_true(d.shadow && slice_is(policy_rule_name(d.shadow), "a"));
    decide(p.policy, &(struct ask){ "GET", "b.a.example", 80 }, &d);
    assert_true(d.action == POLICY_ALLOW && slice_is(policy_rule_name(d.shadow), "a"));
    decide(p.policy, &(struct ask){ "GET", "x.example", 80 }, &d);
    assert_true(d.action == POLICY_ALLOW && d.shadow == NULL && !d.address_free);
    decide(p.policy, &(struct ask){ "GET", "x.example", 80, .at = "10.0.0.1" }, &d);
    assert_true(d.shadow && slice_is(policy_rule_name(d.shadow), "b"));
    policy_text_free(&p);
}

static void what_rules_answer(void **state)
{
    (void)state;
    struct policy_text p = policy_from(
        "policy p { default allow; rules { deny a { respond 451; text T; } redirect b { location "
        "http://x/; respond 307; } allow c { prefer v4; } allow d { prefer v6; } deny e { } } }");
    const struct policy_rule *r[5];
    for (unsigned i = 0; i < 5; i++)
        r[i] = policy_rule_at(p.policy, i);
    assert_int_equal(policy_rule_answer(r[0]).status, 451);
    assert_int_equal(policy_rule_answer(r[1]).status, 307);
    assert_true(slice_is(policy_rule_answer(r[1]).location, "http://x/"));
    assert_int_equal(policy_rule_answer(r[4]).status, 0);
    assert_int_equal(policy_rule_prefers(r[2]), AF_INET);
    assert_int_equal(policy_rule_prefers(r[3]), AF_INET6);
    assert_int_equal(policy_rule_prefers(r[4]), 0);
    struct policy_decision d;
    decide(p.policy, &(struct ask){ "GET", "a.example", 80 }, &d);
    assert_true(slice_is(d.reason, "T"));
    assert_ptr_equal(policy_rule_named(p.policy, d.rule_name), r[0]);
    policy_text_free(&p);
}

/* What is done by default is done by no rule, whatever that is called. */
static void a_rule_called_default(void **state)
{
    (void)state;
    struct policy_text p =
        policy_from("policy p { default allow; rules { allow default { to a.example; } } }");
    struct policy_decision d;
    decide(p.policy, &(struct ask){ "GET", "a.example", 80 }, &d);
    assert_ptr_equal(policy_rule_named(p.policy, d.rule_name), policy_rule_at(p.policy, 0));
    decide(p.policy, &(struct ask){ "GET", "b.example", 80 }, &d);
    assert_true(slice_is(d.rule_name, "default"));
    assert_null(policy_rule_named(p.policy, d.rule_name));
    policy_text_free(&p);
}

/* U-labels of the configuration and of a request are the same A-labels. */
static void names_in_u_labels(void **state)
{
    (void)state;
    RULES("deny r { to m\xc3\xbcnchen.example *.\xc3\xa9.example .\xef\xbd\x81.example; } allow "
          "rest { }",
          { "GET", "xn--mnchen-3ya.example", 80, "deny r rule_denied" },
          { "GET", "M\xc3\x9cNCHEN.example.", 80, "deny r rule_denied" },
          { "GET", "x.\xc3\xa9.example", 80, "deny r rule_denied" },
          { "GET", "xn--9ca.example", 80, "allow rest" },
          { "GET", "a.example", 80, "deny r rule_denied" },
          { "GET", "munchen.example", 80, "allow rest" });
}

static void rules_can_be_listed(void **state)
{
    (void)state;
    struct policy_text p = policy_from(
        "policy staff { default deny; rules { allow a { to x.example; } deny b { } } }");
    assert_non_null(p.policy);
    assert_true(slice_is(policy_name(p.policy), "staff"));
    assert_int_equal(policy_rules(p.policy), 2);
    assert_true(slice_is(policy_rule_name(policy_rule_at(p.policy, 0)), "a"));
    assert_true(slice_is(policy_rule_name(policy_rule_at(p.policy, 1)), "b"));
    policy_text_free(&p);
}

static void a_rule_of_many_hosts(void **state)
{
    char *text = malloc(200000);
    size_t n = (size_t)sprintf(text, "policy p { default deny; rules { allow r { to");
    (void)state;
    for (unsigned i = 0; i < 4000; i++)
        n += (size_t)sprintf(text + n, " *.d%u.example", i);
    sprintf(text + n, "; } } }");
    struct policy_text p = policy_from(text);
    if (p.policy == NULL)
        fail_msg("%s", p.messages);
    for (unsigned i = 0; i < 8000; i += 7) {
        char host[64];
        struct policy_decision d;
        sprintf(host, "www.d%u.example", i);
        decide(p.policy, &(struct ask){ "GET", host, 80, NULL }, &d);
        assert_int_equal(d.action, i < 4000 ? POLICY_ALLOW : POLICY_DENY);
    }
    policy_text_free(&p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_deny_and_allow),
        cmocka_unit_test(default_allow_has_no_reach),
        cmocka_unit_test(default_deny_gives_its_text),
        cmocka_unit_test(ports_by_default),
        cmocka_unit_test(ports_as_configured),
        cmocka_unit_test(ports_come_before_rules),
        cmocka_unit_test(clients),
        cmocka_unit_test(the_first_match_decides),
        cmocka_unit_test(all_conditions_of_a_rule_must_hold),
        cmocka_unit_test(values_of_one_condition_are_alternatives),
        cmocka_unit_test(a_rule_without_conditions_matches_everything),
        cmocka_unit_test(a_condition_may_repeat_and_each_must_hold),
        cmocka_unit_test(not_covers_the_whole_condition),
        cmocka_unit_test(hosts),
        cmocka_unit_test(star_is_every_destination),
        cmocka_unit_test(a_quoted_host_is_a_host),
        cmocka_unit_test(a_bare_address_is_its_own_network),
        cmocka_unit_test(methods),
        cmocka_unit_test(a_path_in_a_tunnel_is_unknown),
        cmocka_unit_test(an_address_that_a_parent_resolves_is_unknown),
        cmocka_unit_test(address_free),
        cmocka_unit_test(what_shares_a_bit_is_told_apart),
        cmocka_unit_test(cheap_and_full_way_agree),
        cmocka_unit_test(a_shadow_is_noted_and_does_not_decide),
        cmocka_unit_test(what_rules_answer),
        cmocka_unit_test(a_rule_called_default),
        cmocka_unit_test(names_in_u_labels),
        cmocka_unit_test(rules_can_be_listed),
        cmocka_unit_test(a_rule_of_many_hosts),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
