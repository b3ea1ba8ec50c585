/* Names looked up through c-ares on a real loop, against a scripted resolver on loopback. */
#include "io/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "help_lookup.h"
#include "tests/unit/help_clock.h"

/* ---- what is answered without asking ---- */

static void here(void **state)
{
    (void)state;
    struct ask a;
    static const struct {
        const char *name, *want;
    } known[] = { { "localhost", "::1 127.0.0.1" }, { "x.y.localhost", "::1 127.0.0.1" },
                  { "", "dns_nxdomain" },           { "a..b", "dns_nxdomain" },
                  { "a\\.b", "dns_nxdomain" },      { "Upper", "dns_nxdomain" } };
    for (unsigned i = 0; i < countof(known); i++) {
        assert_true(begin(&w, &a, known[i].name));
        assert_string_equal(said(&a.wait.answer), known[i].want);
    }
    assert_int_equal(count(STAT_dns_queries_total), 0);
    assert_int_equal(count(STAT_dns_lookups_total), countof(known));
}

static void hosts_before_the_resolver(void **state)
{
    (void)state;
    struct ask a;
    char path[] = "/tmp/proxyd-hosts-XXXXXX";
    static const char text[] = "192.0.2.77 printer here.test\n2001:db8::77 here.test\n";
    int fd = mkstemp(path);
    must(write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    close(fd);
    lookup_stop();
    struct dns_conf_io conf = { .nservers = 1, .hosts_path = path, .search = SLICE("test") };
    conf.servers[0] = resolver_addr(resolver);
    shared = dns_shared_new(&conf);
    lookup_worker_start(&w, shared);
    rule((struct rule){ "here.test", .addresses = "192.0.2.1" });
    assert_true(begin(&w, &a, "here.test"));
    assert_string_equal(said(&a.wait.answer), "2001:db8::77 192.0.2.77");
    char area[64];
    struct text t = text_in(area, sizeof area);
    assert_false(dns_search(shared, SLICE("printer"), &t)); /* the hosts file knows it as it is */
    assert_true(dns_search(shared, SLICE("here"), &t));
    assert_true(slice_is(text_slice(&t), "here.test"));
    unlink(path);
}

/* ---- answers ---- */

static void addresses_of_both_families(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "a.test", .addresses = "192.0.2.1 192.0.2.2 2001:db8::1" });
    rule((struct rule){ "a.test", .type = TYPE_AAAA, .addresses = "192.0.2.1 192.0.2.2 2001:db8::1",
                        .delay_ms = 5 });
    assert_false(begin(&w, &a, "a.test"));
    assert_int_equal(a.calls, 0);
    turn_until(&w, &a);
    assert_string_equal(said(&a.wait.answer), "2001:db8::1 192.0.2.1 192.0.2.2");
    assert_true(begin(&w, &a, "a.test")); /* from the cache */
    assert_string_equal(said(&a.wait.answer), "2001:db8::1 192.0.2.1 192.0.2.2");
    turn_for(&w, 20);
    assert_int_equal(a.calls, 0);
    assert_int_equal(resolver_asked(resolver, "a.test", 0), 2);
    assert_int_equal(count(STAT_dns_queries_total), 2);
    assert_int_equal(count(STAT_dns_cache_hits_total), 1);
    assert_int_equal(count(STAT_dns_failures_total), 0);
}

static void one_family_only(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "four.test", .addresses = "192.0.2.4", .minimum = 5 });
    rule((struct rule){ "six.test", .addresses = "2001:db8::6", .minimum = 5 });
    rule((struct rule){ "none.test", .minimum = 5 });
    assert_string_equal(look_up("four.test", &a), "192.0.2.4");
    assert_string_equal(look_up("six.test", &a), "2001:db8::6");
    assert_string_equal(look_up("none.test", &a), "dns_no_address");
}

/* The other family is known to have none: no delay. Once in ten is enough on a busy machine. */
static void no_delay_when_both_have_spoken(void **state)
{
    (void)state;
    struct ask a;
    static const char *name[] = { "0.test", "1.test", "2.test", "3.test", "4.test",
                                  "5.test", "6.test", "7.test", "8.test", "9.test" };
    u64 best = 1000;
    for (unsigned i = 0; i < countof(name); i++) {
        rule((struct rule){ name[i], .addresses = "192.0.2.4", .minimum = 5 });
        look_up(name[i], &a);
        best = a.took_ms < best ? a.took_ms : best;
    }
    assert_true(best < 45);
}

static void aliases(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "www.test", .cname = "host.other", .addresses = "192.0.2.4 2001:db8::6" });
    assert_string_equal(look_up("www.test", &a), "2001:db8::6 192.0.2.4");
}

static void eight_of_each(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "many.test", .many = 30 });
    look_up("many.test", &a);
    assert_int_equal(a.wait.answer.n, 16);
    assert_int_equal(a.wait.answer.nv6, 8);
}

/* ---- lateness ---- */

static void late_family(unsigned late_type, unsigned from_ms, const char *first, const char *both)
{
    struct ask a, b;
    const char *name = late_type == TYPE_A ? "late4.test" : "late6.test";
    rule((struct rule){ name, .addresses = "192.0.2.1 2001:db8::1" });
    resolver_hold(resolver, true);
    rule((struct rule){ name, .type = late_type, .addresses = "192.0.2.1 2001:db8::1",
                        .held = true });
    assert_string_equal(look_up_first(name, &a), first);
    assert_in_range(a.took_ms, from_ms, 1400);
    assert_true(a.wait.answer.open);
    assert_true(begin(&w, &b, name));
    assert_string_equal(said(&b.wait.answer), first);
    resolver_hold(resolver, false);
    assert_string_equal(look_up(name, &b), both); /* the late one comes in for the cache */
    assert_false(b.wait.answer.open);
    assert_int_equal(a.calls, 1);
}

/* RFC 8305 section 3: IPv6 is tried at once, IPv4 waits a moment for it. */
static void fifty_milliseconds_for_ipv6(void **state)
{
    (void)state;
    struct addr at = resolver_addr(resolver);
    lookup_stop();
    lookup_start(6000, 1, &at);
    late_family(TYPE_AAAA, 45, "192.0.2.1", "2001:db8::1 192.0.2.1");
    late_family(TYPE_A, 0, "2001:db8::1", "2001:db8::1 192.0.2.1");
}

static void no_address_waits_for_the_other_family(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "late.test", .type = TYPE_AAAA, .minimum = 5 });
    rule((struct rule){ "late.test", .type = TYPE_A, .addresses = "192.0.2.1", .delay_ms = 200 });
    assert_string_equal(look_up("late.test", &a), "192.0.2.1");
    assert_true(a.took_ms >= 190);
}

static void one_family_times_out(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "half.test", .type = TYPE_AAAA, .kind = ANSWER_DROP });
    rule((struct rule){ "half.test", .type = TYPE_A, .addresses = "192.0.2.1", .ttl = 300 });
    assert_string_equal(look_up_first("half.test", &a), "192.0.2.1");
    assert_true(a.took_ms < 650);
    turn_for(&w, 1000);
    assert_true(begin(&w, &a, "half.test"));
    assert_string_equal(said(&a.wait.answer), "192.0.2.1");
    w.loop.now.mono_ms += 31 * 1000; /* but is asked again after half a minute */
    assert_false(dns_lookup(w.dns, SLICE("half.test"), NULL, &a.wait));
    dns_cancel(w.dns, &a.wait);
}

static void time_out(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "silent.test", .kind = ANSWER_DROP });
    assert_string_equal(look_up("silent.test", &a), "dns_timeout");
    assert_in_range(a.took_ms, 600, 6000);
    assert_true(resolver_asked(resolver, "silent.test", TYPE_A) >= 2); /* tried more than once */
    assert_true(begin(&w, &a, "silent.test")); /* at once again: held for a second */
    assert_string_equal(said(&a.wait.answer), "dns_timeout");
    turn_for(&w, 300);
    assert_int_equal(count(STAT_dns_failures_total), 2);
}

static void answer_after_a_lost_packet(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "lossy.test", .kind = ANSWER_DROP });
    assert_false(begin(&w, &a, "lossy.test"));
    turn_for(&w, 30);
    rule((struct rule){ "lossy.test", .addresses = "192.0.2.1" });
    turn_until(&w, &a);
    assert_string_equal(said(&a.wait.answer), "192.0.2.1");
    assert_true(a.took_ms < 650);
}

/* ---- failures ---- */

static void failures(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "serv.test", .rcode = 2 });
    rule((struct rule){ "refused.test", .rcode = 5 });
    rule((struct rule){ "broken.test", .kind = ANSWER_BROKEN });
    rule((struct rule){ "mixed.test", .type = TYPE_AAAA, .rcode = 2 });
    rule((struct rule){ "mixed.test", .type = TYPE_A, .addresses = "192.0.2.1" });
    assert_string_equal(look_up("gone.test", &a), "dns_nxdomain");
    assert_string_equal(look_up("serv.test", &a), "dns_failure");
    assert_string_equal(look_up("refused.test", &a), "dns_failure");
    assert_string_equal(look_up("broken.test", &a), "dns_failure");
    assert_true(a.took_ms < 650);
    assert_string_equal(look_up("mixed.test", &a), "192.0.2.1");
    assert_true(begin(&w, &a, "gone.test"));
    assert_string_equal(said(&a.wait.answer), "dns_nxdomain");
}

static void noise_is_not_an_answer(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "noise.test", .kind = ANSWER_NOISE, .addresses = "192.0.2.1" });
    assert_string_equal(look_up("noise.test", &a), "192.0.2.1");
}

static void truncated_comes_over_tcp(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "large.test", .kind = ANSWER_TC, .addresses = "192.0.2.1 2001:db8::1",
                        .many = 1000 });
    assert_string_equal(look_up("large.test", &a),
                        "2001:db8::1 fd00:: fd00:1:: fd00:2:: fd00:3:: fd00:4:: fd00:5:: fd00:6:: "
                        "192.0.2.1 10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6");
    assert_int_equal(resolver_tcp(resolver), 2);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct ask a;
    lookup_stop();
    struct addr at = resolver_addr(resolver);
    resolver_stop(resolver);
    lookup_start(700, 1, &at);
    assert_string_equal(look_up("a.test", &a), "dns_failure");
    assert_true(a.took_ms < 650);
    resolver = resolver_start();
}

static void second_server_helps(void **state)
{
    (void)state;
    struct ask a;
    struct addr at[2] = { resolver_addr(resolver) };
    struct resolver *good = resolver_start();
    struct rule r = { "a.test", .addresses = "192.0.2.1", .ttl = 60, .minimum = 5 };
    resolver_rule(good, &r);
    at[1] = resolver_addr(good);
    resolver_dead(resolver, true);
    lookup_stop();
    lookup_start(700, 2, at);
    assert_string_equal(look_up("a.test", &a), "192.0.2.1");
    assert_true(a.took_ms < 650);
    resolver_stop(good);
}

/* ---- age ---- */

static void expired_is_asked_again(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "short.test", .addresses = "192.0.2.1", .minimum = 5, .ttl = 1 });
    look_up("short.test", &a);
    rule((struct rule){ "short.test", .addresses = "192.0.2.2", .minimum = 5, .ttl = 1 });
    assert_string_equal(look_up("short.test", &a), "192.0.2.1");
    clock_forward(1050);
    assert_string_equal(look_up("short.test", &a), "192.0.2.2");
    assert_int_equal(resolver_asked(resolver, "short.test", TYPE_A), 2);
    clock_forward(950); /* last tenth: the old one now, the new one soon */
    rule((struct rule){ "short.test", .addresses = "192.0.2.3", .minimum = 5, .ttl = 60 });
    assert_true(begin(&w, &a, "short.test"));
    assert_string_equal(said(&a.wait.answer), "192.0.2.2");
    turn_for(&w, 60);
    assert_true(begin(&w, &a, "short.test"));
    assert_string_equal(said(&a.wait.answer), "192.0.2.3");
}

static void stale_while_the_resolver_is_dead(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "kept.test", .addresses = "192.0.2.1", .minimum = 5, .ttl = 1 });
    look_up("kept.test", &a);
    resolver_dead(resolver, true);
    clock_forward(1050);
    assert_string_equal(look_up_first("kept.test", &a), "192.0.2.1");
    assert_true(a.wait.answer.stale);
    assert_true(begin(&w, &a, "kept.test")); /* nobody waits a second time */
    assert_true(a.wait.answer.stale);
    assert_int_equal(count(STAT_dns_stale_total), 2);
    turn_for(&w, 60); /* c-ares gives up a little after us */
    resolver_dead(resolver, false);
    w.loop.now.mono_ms += 6 * 1000;
    assert_true(dns_lookup(w.dns, SLICE("kept.test"), NULL, &a.wait)); /* tries again behind it */
    turn_for(&w, 60);
    assert_true(begin(&w, &a, "kept.test"));
    assert_false(a.wait.answer.stale);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lookup_set_up, lookup_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(here),
        TEST(hosts_before_the_resolver),
        TEST(addresses_of_both_families),
        TEST(one_family_only),
        TEST(no_delay_when_both_have_spoken),
        TEST(aliases),
        TEST(eight_of_each),
        TEST(fifty_milliseconds_for_ipv6),
        TEST(no_address_waits_for_the_other_family),
        TEST(one_family_times_out),
        TEST(time_out),
        TEST(answer_after_a_lost_packet),
        TEST(failures),
        TEST(noise_is_not_an_answer),
        TEST(truncated_comes_over_tcp),
        TEST(nobody_listens),
        TEST(second_server_helps),
        TEST(expired_is_asked_again),
        TEST(stale_while_the_resolver_is_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
