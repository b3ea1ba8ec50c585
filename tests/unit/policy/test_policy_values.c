/* Conditions on URL, fields, cookies, query and time, one named case per sentence of the manual. */
#include "policy/policy.h"

#include <time.h>

#include "policy/zone.h"

#include "tests/unit/policy/decide.h"

#define NO "allow rest"
#define R "deny r rule_denied"

static void to_searches_the_canonical_host(void **state)
{
    (void)state;
    RULES(
        "deny r { to ~\"(^|[.])ads[0-9]*[.]\" 10.0.0.1; } deny l { to ~\"^192\"; } allow rest { }",
        { "GET", "ads.example", 80, R }, { "GET", "x.ads7.example", 80, R },
        { "CONNECT", "ADS.Example.", 443, R }, { "GET", "10.0.0.1", 80, R },
        { "GET", "192.0.2.1", 80, "deny l rule_denied" },
        { "GET", "3221225985", 80, "deny l rule_denied" },
        { "GET", "roads.example", 80, "address r" },
        { "GET", "roads.example", 80, NO, .at = "192.0.1.1" },
        { "GET", "roads.example", 80, R, .at = "10.0.0.1" });
    RULES("deny r { not to ~\"example$\"; } allow rest { }", { "GET", "a.example", 80, NO },
          { "GET", "a.example.org", 80, R });
}

/* Of nobody nothing is known: neither a rule for somebody nor one against him matches. */
static void who_asks(void **state)
{
    (void)state;
    RULES("deny r { user ann bob; } allow rest { }", { "GET", "a.example", 80, NO },
          { "GET", "a.example", 80, R, .user = "ann" },
          { "CONNECT", "a.example", 443, R, .user = "bob|staff" },
          { "GET", "a.example", 80, NO, .user = "Ann" },
          { "GET", "a.example", 80, NO, .user = "staff|ann" });
    RULES("deny r { not user ann; } allow rest { }", { "GET", "a.example", 80, NO },
          { "GET", "a.example", 80, NO, .user = "ann" },
          { "GET", "a.example", 80, R, .user = "bob" });
    RULES("deny r { user *; } allow rest { }", { "GET", "a.example", 80, NO },
          { "GET", "a.example", 80, R, .user = "bob" });
    RULES("deny r { from 10.0.0.0/8 group staff; } allow rest { }", { "GET", "a.example", 80, NO },
          { "GET", "a.example", 80, R, .from = "10.1.1.1" },
          { "GET", "a.example", 80, R, .user = "bob|it|staff" },
          { "GET", "a.example", 80, NO, .user = "staff|it" });
    RULES("deny r { not from group staff; } allow rest { }", { "GET", "a.example", 80, NO },
          { "GET", "a.example", 80, R, .user = "bob" },
          { "GET", "a.example", 80, NO, .user = "bob|staff" });
}

static void url_is_the_whole(void **state)
{
    (void)state;
    RULES(
        "deny r { url ~\"^http://[^/]+/(banner|sponsor)s?/\" ~\"[?&]id=7(&|$)\"; } allow rest { }",
        { "GET", "a.example", 80, R, .path = "/banners/x" },
        { "GET", "a.example", 80, R, .path = "/sponsor/" },
        { "GET", "a.example", 80, R, .path = "/x", .query = "a=b&id=7" },
        { "GET", "a.example", 80, R, .path = "/x", .query = "%69d=7" },
        { "GET", "a.example", 80, R, .path = "//banners//x" },
        { "GET", "a.example", 80, R, .path = "/%62anner%2fx" },
        { "GET", "a.example", 80, R, .path = "/x/..%2fbanners/" },
        { "GET", "a.example", 80, NO, .path = "/Banners/x" },
        { "GET", "a.example", 80, NO, .path = "/x/banners/" },
        { "GET", "a.example", 80, NO, .path = "/x", .query = "id=77" });
    RULES("allow r { url ~\"^http://a[.]example/pub/\"; }",
          { "GET", "a.example", 80, "allow r", .path = "/pub/x" },
          { "GET", "A.Example.", 80, "allow r", .path = "/pub/x" },
          { "GET", "a.example", 81, "deny default default_denied", .path = "/pub/x" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/pub/..%2fx" },
          { "GET", "a.example", 80, "deny default default_denied", .path = "/x%2f..%2fpub/" });
    RULES("deny r { url ~\"^http://a.example:8080/$\"; } "
          "deny v { url ~\"^http://\\[2001:db8::1\\]/$\"; } allow rest { }",
          { "GET", "a.example", 8080, R }, { "GET", "a.example", 80, NO },
          { "GET", "[2001:0db8:0::1]", 80, "deny v rule_denied" });
}

static void url_of_a_tunnel(void **state)
{
    (void)state;
    RULES("deny r { url ~\"^https://a[.]example/$\" ~\"^https://b[.]example:8443/$\"; } "
          "allow rest { }",
          { "CONNECT", "a.example", 443, R }, { "CONNECT", "a.example", 8443, NO },
          { "CONNECT", "b.example", 8443, R }, { "CONNECT", "b.example", 443, NO });
}

static void a_url_that_is_too_long_is_refused_by_a_deny_only(void **state)
{
    (void)state;
    RULES("deny r { url ~\"zzz\"; } allow rest { }",
          { "GET", "a.example", 80, R, .path = "/", .path_bytes = 20000 },
          { "GET", "a.example", 80, NO, .path = "/", .path_bytes = 16000 });
    RULES("allow r { url ~\"/\"; }", { "GET", "a.example", 80, "deny default default_denied",
                                       .path = "/", .path_bytes = 20000 });
}

#define BAD "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"

static void a_pattern_at_its_limits(void **state)
{
    (void)state;
    RULES("deny r { url ~\"/(a+)+$\"; } allow rest { }",
          { "GET", "a.example", 80, "deny r pattern_exhausted", .path = BAD },
          { "GET", "a.example", 80, R, .path = "/aa" }, { "GET", "a.example", 80, NO });
    RULES("allow r { url ~\"/(a+)+$\"; } deny s { not url ~\"/(a+)+$\"; }",
          { "GET", "a.example", 80, "deny s pattern_exhausted", .path = BAD },
          { "GET", "a.example", 80, "allow r", .path = "/aa" });
    RULES("allow r { not url ~\"/(a+)+$\"; } ",
          { "GET", "a.example", 80, "deny default default_denied", .path = BAD });
    RULES("deny r { url ~\"/(a+)+$\"; port 81; } allow rest { }", /* another condition fails */
          { "GET", "a.example", 80, NO, .path = BAD });
    struct policy_text p = policy_from("policy p { default allow; rules { allow r { url "
                                       "~\"/(a+)+$\"; } } }");
    struct policy_decision d;
    decide(p.policy, &(struct ask){ "GET", "a.example", 80, .path = BAD }, &d);
    assert_true(d.exhausted && d.action == POLICY_ALLOW && d.rule == NULL);
    decide(p.policy, &(struct ask){ "GET", "a.example", 80, .path = "/b" }, &d);
    assert_false(d.exhausted);
    policy_text_free(&p);
}

static void header(void **state)
{
    (void)state;
#define UA "User-Agent: curl/8.0\r\n"
    RULES("deny a { header X-Debug; } deny b { header User-Agent ~\"^curl/\" Wget; } "
          "deny c { not header Accept text/html; method POST; } allow rest { }",
          { "GET", "a.example", 80, "deny b rule_denied", .fields = UA },
          { "GET", "a.example", 80, "deny b rule_denied", .fields = "user-AGENT: Wget\r\n" },
          { "GET", "a.example", 80, NO, .fields = "User-Agent: wget\r\n" },
          { "GET", "a.example", 80, NO, .fields = "User-Agent: Wget/1\r\n" },
          { "GET", "a.example", 80, "deny a rule_denied", .fields = UA "x-debug: \r\n" },
          { "GET", "a.example", 80, "deny b rule_denied",
            .fields = "User-Agent: x\r\nAccept: y\r\n" UA },
          { "POST", "a.example", 80, "deny c rule_denied", .fields = "Accept: text/plain\r\n" },
          { "POST", "a.example", 80, NO, .fields = "Accept: text/html\r\n" },
          { "GET", "a.example", 80, NO }, { "CONNECT", "a.example", 443, NO },
          { "CONNECT", "a.example", 443, NO, .fields = UA });
}

static void cookie(void **state)
{
    (void)state;
    RULES("deny a { cookie stage=beta debug; } deny b { cookie user ~\"^x\"; } allow rest { }",
          { "GET", "a.example", 80, "deny a rule_denied", .fields = "Cookie: a=b; stage=beta\r\n" },
          { "GET", "a.example", 80, "deny a rule_denied", .fields = "cookie: stage=\"beta\"\r\n" },
          { "GET", "a.example", 80, "deny a rule_denied",
            .fields = "Cookie: stage=x\r\nCookie: stage=beta\r\n" },
          { "GET", "a.example", 80, "deny a rule_denied", .fields = "Cookie: debug\r\n" },
          { "GET", "a.example", 80, "deny b rule_denied", .fields = "Cookie: user=xy\r\n" },
          { "GET", "a.example", 80, NO, .fields = "Cookie: stage=BETA; Debug=1; user=yx\r\n" },
          { "GET", "a.example", 80, NO, .fields = "X: stage=beta\r\n" });
}

static void query(void **state)
{
    (void)state;
    RULES("deny a { query beta=true debug; } deny b { query id ~\"^[0-9]+$\"; } allow rest { }",
          { "GET", "a.example", 80, "deny a rule_denied", .query = "beta=true" },
          { "GET", "a.example", 80, "deny a rule_denied", .query = "x=1&b%65ta=tr%75e&y" },
          { "GET", "a.example", 80, "deny a rule_denied", .query = "beta=no&beta=true" },
          { "GET", "a.example", 80, "deny a rule_denied", .query = "debug" },
          { "GET", "a.example", 80, "deny a rule_denied", .query = "debug=" },
          { "GET", "a.example", 80, "deny a rule_denied", .query = "x=1;beta=true" },
          { "GET", "a.example", 80, "deny b rule_denied", .query = "id=12" },
          { "GET", "a.example", 80, NO, .query = "id=12a" }, { "GET", "a.example", 80, NO },
          { "GET", "a.example", 80, NO, .query = "Beta=true&beta=TRUE&debugs=1" },
          { "CONNECT", "a.example", 443, NO });
    RULES("allow a { query k=1; }", { "GET", "a.example", 80, "allow a", .query = "k=1" },
          { "GET", "a.example", 80, "deny default default_denied", .query = "k=1;x" },
          { "GET", "a.example", 80, "deny default default_denied", .query = "x;k=1" },
          { "GET", "a.example", 80, "deny default default_denied", .query = "k=2" });
    RULES("allow a { query \"a b=x\"; } allow c { query n=a b; }",
          { "GET", "a.example", 80, "allow c", .query = "n=a" },
          { "GET", "a.example", 80, "allow c", .query = "b" });
}

/* 2026-11-23 was a Monday. */
#define MONDAY 1795392000ull
#define AT(day, hour, minute) (MONDAY + (day)*86400 + (hour)*3600 + (minute)*60)

static void time_of_the_week(void **state)
{
    (void)state;
    DECIDE("default deny; time-zone UTC; rules { allow r { time mon-fri 07:00-19:00 sat,sun "
           "10:00-12:00 13:00-14:00; } }",
           { "GET", "a.example", 80, "allow r", .now = AT(0, 7, 0) },
           { "GET", "a.example", 80, "allow r", .now = AT(4, 18, 59) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(0, 6, 59) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(4, 19, 0) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(5, 9, 0) },
           { "GET", "a.example", 80, "allow r", .now = AT(5, 10, 0) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(6, 12, 30) },
           { "GET", "a.example", 80, "allow r", .now = AT(6, 13, 30) });
    DECIDE("default deny; time-zone UTC; rules { allow r { time 00:00-24:00; not time FRI-mon "
           "00:00-24:00; } }",
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(0, 12, 0) },
           { "GET", "a.example", 80, "allow r", .now = AT(1, 0, 0) },
           { "GET", "a.example", 80, "allow r", .now = AT(3, 23, 59) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(4, 0, 0) });
    DECIDE("default deny; time-zone UTC; rules { allow r { time fri 22:00-06:00; } }",
           { "GET", "a.example", 80, "allow r", .now = AT(4, 22, 0) },
           { "GET", "a.example", 80, "allow r", .now = AT(5, 5, 59) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(5, 6, 0) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(4, 5, 0) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(5, 22, 0) });
    DECIDE("default deny; time-zone Europe/Berlin; rules { allow r { time mon 00:00-01:00; } }",
           { "GET", "a.example", 80, "allow r", .now = AT(-1, 23, 0) },
           { "GET", "a.example", 80, "deny default default_denied", .now = AT(0, 0, 0) });
}

/* Against the C library, which knows the same tables. */
static void zones(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Europe/Berlin",    "America/New_York",  "Asia/Kolkata",
        "Australia/Sydney", "America/Sao_Paulo", "Africa/Casablanca",
        "Pacific/Apia",     "Europe/Dublin",     "UTC",
        "Asia/Tehran",      "America/St_Johns",  "Etc/GMT+5"
    };
    for (size_t i = 0; i < countof(names); i++) {
        struct arena a;
        arena_init(&a, 0);
        const struct zone *z = zone_load(&a, slice_of(names[i]));
        if (z == NULL)
            fail_msg("%s", names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (time_t t = 0; t < 4102444800; t += 45900) { /* to 2100 */
            struct tm tm;
            localtime_r(&t, &tm);
            struct zone_time got = zone_local(z, (u64)t);
            if (got.minute != tm.tm_hour * 60 + tm.tm_min || got.weekday != (tm.tm_wday + 6) % 7)
                fail_msg("%s at %lld: day %u, minute %u", names[i], (long long)t, got.weekday,
                         got.minute);
        }
        arena_free(&a);
    }
    unsetenv("TZ");
}

static void a_file_that_is_no_zone(void **state)
{
    (void)state;
    char file[4096];
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "re");
    assert_non_null(f);
    size_t n = fread(file, 1, sizeof file, f);
    fclose(f);
    struct arena a;
    arena_init(&a, 0);
    assert_non_null(zone_parse(&a, (struct slice){ file, n }));
    for (size_t cut = 0; cut < n - 1; cut++) /* the last byte is a newline */
        assert_null(zone_parse(&a, (struct slice){ file, cut }));
    arena_free(&a);
}

static void the_systems_zone(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    setenv("TZ", "XYZ-3:30", 1);
    assert_int_equal(zone_local(zone_load(&a, SLICE("")), MONDAY).minute, 210);
    setenv("TZ", ":Asia/Tokyo", 1);
    assert_int_equal(zone_local(zone_load(&a, SLICE("")), MONDAY).minute, 540);
    setenv("TZ", "", 1);
    assert_int_equal(zone_local(zone_load(&a, SLICE("")), MONDAY).minute, 0);
    unsetenv("TZ");
    assert_non_null(zone_load(&a, SLICE("")));
    arena_free(&a);
}

static void decide_told(const struct policy_text *p, struct policy_question q, const char *rule)
{
    struct policy_decision d;
    struct host h;
    assert_int_equal(host_parse(SLICE("192.0.1.1"), &h), FAULT_NONE);
    q.host = &h;
    q.method = METHOD_GET;
    q.port = 443;
    q.connect = true;
    policy_decide(p->policy, &q, &d);
    assert_string_equal(d.rule_name.p ? arena_copy((struct arena *)&p->arena, d.rule_name).p : "",
                        rule);
}

/* What is known of the name; of a client that knows the proxy nothing is. */
static void names_that_were_told(void **state)
{
    (void)state;
    struct policy_text p = policy_from("policy p { default deny; rules {"
                                       " allow hidden { sni encrypted; }"
                                       " allow bare { sni absent; name absent; }"
                                       " allow claimed { name unconfirmed; }"
                                       " allow known { not name unconfirmed absent; } } }");
    assert_non_null(p.policy);
    decide_told(&p, (struct policy_question){ .name = NAME_TOLD }, "default");
    decide_told(&p, (struct policy_question){ .name = NAME_UNCONFIRMED }, "claimed");
    decide_told(&p, (struct policy_question){ .name = NAME_CONFIRMED }, "known");
    decide_told(&p, (struct policy_question){ .name = NAME_ABSENT }, "default");
    decide_told(&p,
                (struct policy_question){ .name = NAME_ABSENT, .tls = true, .sni_absent = true },
                "bare");
    decide_told(
        &p, (struct policy_question){ .name = NAME_CONFIRMED, .tls = true, .sni_encrypted = true },
        "hidden");
    policy_text_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_were_told),
        cmocka_unit_test(to_searches_the_canonical_host),
        cmocka_unit_test(who_asks),
        cmocka_unit_test(url_is_the_whole),
        cmocka_unit_test(url_of_a_tunnel),
        cmocka_unit_test(a_url_that_is_too_long_is_refused_by_a_deny_only),
        cmocka_unit_test(a_pattern_at_its_limits),
        cmocka_unit_test(header),
        cmocka_unit_test(cookie),
        cmocka_unit_test(query),
        cmocka_unit_test(time_of_the_week),
        cmocka_unit_test(zones),
        cmocka_unit_test(a_file_that_is_no_zone),
        cmocka_unit_test(the_systems_zone),
    };
    return cmocka_run_group_tests(tests, no_own_addresses, NULL);
}
