/* Servers as they are: without EDNS in all the ways there are, failing, silent, replaced. */
#include "io/dns_ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "help_lookup.h"
#include "tests/unit/help_clock.h"

static void address(const char *name, struct rule how)
{
    how.name = name;
    how.addresses = "192.0.2.1 2001:db8::1";
    rule(how);
}

static void expect_found(const char *name)
{
    struct ask a;
    look_up_first(name, &a);
    for (unsigned i = 0; a.wait.answer.open && i < 2000; i++) {
        loop_turn(&w.loop, 1);
        assert_true(dns_lookup(w.dns, slice_of(name), NULL, &a.wait));
    }
    assert_string_equal(said(&a.wait.answer), "2001:db8::1 192.0.2.1");
}

/* ---- EDNS ---- */

static const struct rule without_edns[] = {
    { .edns_rcode = RCODE_FORMERR },     { .edns_rcode = RCODE_NOTIMP },
    { .edns_rcode = RCODE_SERVFAIL },    { .edns_rcode = RCODE_REFUSED },
    { .edns_rcode = 11 /* nobody's */ }, { .edns_kind = ANSWER_CUT },
    { .edns_kind = ANSWER_BROKEN },      { .edns_kind = ANSWER_DROP },
    { .edns_kind = ANSWER_HEADER },
};

/* The first name costs a second question, the next ones are asked without EDNS at once, and after a
 * while it is tried again. */
static void a_resolver_without_edns(void **state)
{
    for (unsigned i = 0; i < countof(without_edns); i++) {
        address("first.test", without_edns[i]);
        address("second.test", without_edns[i]);
        address("later.test", (struct rule){ .minimum = 0 });
        expect_found("first.test");
        assert_int_equal(resolver_edns(resolver), 2);
        assert_int_equal(resolver_asked(resolver, "first.test", 0), 4);
        assert_in_range(count(STAT_dns_edns_failures_total), 1, 2);
        expect_found("second.test");
        assert_int_equal(resolver_edns(resolver), 2);
        assert_int_equal(resolver_asked(resolver, "second.test", 0), 2);
        clock_forward(DNS_PLAIN_MS);
        loop_turn(&w.loop, 0);
        expect_found("later.test");
        assert_int_equal(resolver_edns(resolver), 4);
        lookup_tear_down(state);
        lookup_set_up(state);
    }
}

static void a_resolver_with_edns_is_asked_once(void **state)
{
    (void)state;
    address("a.test", (struct rule){ .minimum = 0 });
    address("b.test", (struct rule){ .minimum = 0 });
    expect_found("a.test");
    expect_found("b.test");
    assert_int_equal(resolver_edns(resolver), 4);
    assert_int_equal(resolver_asked(resolver, "a.test", 0), 2);
    assert_int_equal(count(STAT_dns_edns_failures_total), 0);
}

/* A zone that fails in any way says nothing of the resolver; nor does one lost packet. */
static void failures_of_names_are_not_the_resolver_s(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "ill.test", .rcode = RCODE_SERVFAIL });
    rule((struct rule){ "mute.test", .kind = ANSWER_DROP });
    rule((struct rule){ "lost.test", .addresses = "2001:db8::1 192.0.2.1" });
    rule((struct rule){ "lost.test", .type = TYPE_A, .addresses = "192.0.2.1",
                        .edns_kind = ANSWER_DROP });
    address("good.test", (struct rule){ .minimum = 0 });
    assert_string_equal(look_up("ill.test", &a), "dns_failure");
    assert_int_equal(resolver_asked(resolver, "ill.test", TYPE_A), 2); /* not without end */
    assert_string_equal(look_up("mute.test", &a), "dns_timeout");
    look_up("lost.test", &a);
    turn_for(&w, 200);
    unsigned before = resolver_edns(resolver);
    expect_found("good.test");
    assert_int_equal(resolver_edns(resolver), before + 2);
}

/* Each server has a memory of its own. */
static void remembered_per_server(void **state)
{
    (void)state;
    struct addr at[2] = { resolver_addr(resolver) };
    struct resolver *second = resolver_start();
    struct rule good = { "b.test", .addresses = "192.0.2.1 2001:db8::1", .ttl = 60 };
    at[1] = resolver_addr(second);
    address("a.test", (struct rule){ .edns_rcode = RCODE_FORMERR });
    resolver_rule(second, &good);
    lookup_stop();
    lookup_start(1400, 2, at);
    expect_found("a.test");
    assert_int_equal(resolver_edns(resolver), 2);
    assert_int_equal(resolver_edns(second), 0); /* the first one was enough */
    resolver_dead(resolver, true);
    expect_found("b.test");
    assert_int_equal(resolver_edns(resolver), 2);
    assert_int_equal(resolver_edns(second), 2);
    resolver_stop(second);
}

static void edns_off(void **state)
{
    (void)state;
    struct dns_conf_io conf = { .nservers = 1,
                                .no_edns = true,
                                .servers = { resolver_addr(resolver) } };
    lookup_stop();
    shared = dns_shared_new(&conf);
    lookup_worker_start(&w, shared);
    address("a.test", (struct rule){ .edns_kind = ANSWER_DROP });
    expect_found("a.test");
    assert_int_equal(resolver_asked(resolver, "a.test", 0), 2);
    assert_int_equal(resolver_edns(resolver), 0);
}

/* ---- other failures ---- */

/* A server that refuses a name costs nothing when there is another one. */
static void the_next_server_is_asked_at_once(void **state)
{
    (void)state;
    struct ask a;
    struct addr at[2] = { resolver_addr(resolver) };
    struct resolver *second = resolver_start();
    struct rule good = { "a.test", .addresses = "192.0.2.1", .minimum = 5, .ttl = 60 };
    at[1] = resolver_addr(second);
    rule((struct rule){ "a.test", .rcode = RCODE_REFUSED });
    resolver_rule(second, &good);
    lookup_stop();
    lookup_start(6000, 2, at);
    assert_string_equal(look_up("a.test", &a), "192.0.2.1");
    assert_true(a.took_ms < 900); /* a try lasts 1 s */
    resolver_stop(second);
}

/* ---- a resolv.conf that changes ---- */

static char path[] = "/tmp/proxyd-resolv-XXXXXX";

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void write_server(const struct addr *a)
{
    char line[100] = "nameserver ";
    struct text t = text_in(line, sizeof line - 1);
    t.n = strlen(line);
    addr_text_port(&t, a);
    text_add(&t, SLICE("\n"));
    write_file(line);
}

static void start_with_file(void)
{
    struct dns_conf_io conf = { .resolv_conf = path, .timeout_ms = 3000 };
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    close(mkstemp(path));
    lookup_stop();
    shared = dns_shared_new(&conf);
    lookup_worker_start(&w, shared);
}

/* What was asked before is answered by whom it was asked, what comes after by the new server, and
 * what the old one answered holds no longer. */
static void servers_are_replaced(void **state)
{
    (void)state;
    struct ask a, b;
    struct addr at = resolver_addr(resolver);
    struct resolver *second = resolver_start();
    struct rule other = { "new.test", .addresses = "192.0.2.9", .minimum = 5, .ttl = 60 };
    resolver_rule(second, &other);
    start_with_file();
    assert_false(dns_shared_refresh_servers(shared)); /* empty, as it was */
    write_server(&at);
    assert_true(dns_shared_refresh_servers(shared));
    assert_false(dns_shared_refresh_servers(shared));
    rule((struct rule){ "old.test", .addresses = "192.0.2.1", .minimum = 5, .delay_ms = 200 });
    assert_false(begin(&w, &a, "old.test"));
    assert_string_equal(look_up("new.test", &b), "dns_nxdomain");
    at = resolver_addr(second);
    write_server(&at);
    assert_true(dns_shared_refresh_servers(shared));
    assert_string_equal(look_up("new.test", &b), "192.0.2.9");
    assert_int_equal(a.calls, 0);
    turn_until(&w, &a);
    assert_string_equal(said(&a.wait.answer), "192.0.2.1");
    write_file("# nothing\n"); /* says nothing: the last ones stay */
    assert_false(dns_shared_refresh_servers(shared));
    unlink(path);
    assert_false(dns_shared_refresh_servers(shared));
    turn_for(&w, 20);
    resolver_stop(second);
}

/* Workers ask while the servers change; for the sanitizers. */
static void *ask_on(void *stop)
{
    static struct worker k;
    static struct ask a[8];
    char name[32];
    lookup_worker_start(&k, shared);
    for (unsigned i = 0; !atomic_load((_Atomic bool *)stop); i++) {
        struct ask *one = &a[i % countof(a)];
        dns_cancel(k.dns, &one->wait);
        snprintf(name, sizeof name, "n%u.test", i);
        begin(&k, one, name);
        loop_turn(&k.loop, 1);
    }
    for (unsigned i = 0; i < countof(a); i++)
        dns_cancel(k.dns, &a[i].wait);
    lookup_worker_stop(&k);
    return NULL;
}

static void replaced_under_load(void **state)
{
    (void)state;
    _Atomic bool stop = false;
    pthread_t thread;
    struct ask a;
    struct addr at[2] = { resolver_addr(resolver) };
    struct resolver *second = resolver_start();
    at[1] = resolver_addr(second);
    start_with_file();
    must(pthread_create(&thread, NULL, ask_on, &stop) == 0);
    for (unsigned i = 0; i < 100; i++) {
        write_server(&at[i % 2]);
        char name[32];
        assert_true(dns_shared_refresh_servers(shared));
        snprintf(name, sizeof name, "x%u.test", i);
        assert_string_equal(look_up(name, &a), "dns_nxdomain");
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    unlink(path);
    resolver_stop(second);
}

static void parse(const char *text, const char *want)
{
    struct addr found[DNS_SERVERS];
    char area[512];
    struct text t = text_in(area, sizeof area - 1);
    unsigned n = dns_servers_parse(slice_of(text), found);
    for (unsigned i = 0; i < n; i++) {
        text_add(&t, i ? SLICE(" ") : SLICE(""));
        addr_text_port(&t, &found[i]);
    }
    area[t.n] = 0;
    assert_string_equal(area, want);
}

static void what_is_in_the_file(void **state)
{
    (void)state;
    parse("", "");
    parse("nameserver 192.0.2.1", "192.0.2.1:53");
    parse("# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nsearch a.test\r\n\tnameserver  ::1 \r\n",
          "[::1]:53");
    parse("nameserver\nnameserver x\nnameserver 192.0.2.1 # the first\nnameservers 192.0.2.2\n"
          "nameserver\t192.0.2.3\n\nnameserver fe80::1%lo\noptions edns0\n",
          "192.0.2.1:53 192.0.2.3:53");
    parse("nameserver 192.0.2.1:5353\nnameserver [::1]:5353\n", "192.0.2.1:5353 [::1]:5353");
    char many[400] = "";
    for (unsigned i = 0; i < 12; i++)
        strcat(many, "nameserver 192.0.2.1\n");
    struct addr found[DNS_SERVERS];
    assert_int_equal(dns_servers_parse(slice_of(many), found), DNS_SERVERS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lookup_set_up, lookup_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_resolver_without_edns),
        TEST(a_resolver_with_edns_is_asked_once),
        TEST(failures_of_names_are_not_the_resolver_s),
        TEST(remembered_per_server),
        TEST(edns_off),
        TEST(the_next_server_is_asked_at_once),
        TEST(servers_are_replaced),
        TEST(replaced_under_load),
        cmocka_unit_test(what_is_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
