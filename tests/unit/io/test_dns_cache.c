/* The cache's decisions on a clock of our own: who asks, who waits, what is old enough for what. */
#include "io/dns_cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"

static struct dns_shared *cache;
static struct loop loop;
static struct dns_ready ready_queue;
static struct dns_wait wait;
static struct dns_entry *entry;
static u64 now;

static void on_call(struct call *l, void *receiver)
{
    (void)l;
    (void)receiver;
}

static int set_up(void **state)
{
    (void)state;
    struct dns_conf_io conf = { .search = SLICE("corp.example") };
    cache = dns_cache_of_conf(&conf);
    must(loop_init(&loop, NULL));
    ready_queue = (struct dns_ready){ .lock = PTHREAD_MUTEX_INITIALIZER, .loop = &loop };
    ready_queue.call.run = on_call;
    list_init(&ready_queue.ready);
    wait = (struct dns_wait){ .ready_queue = NULL };
    now = 1000000;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dns_cache_free(cache);
    loop_free(&loop);
    return 0;
}

static enum dns_found find(const char *name)
{
    return dns_cache_find(cache, slice_of(name), now, true, &ready_queue, &wait, &entry);
}

static struct dns_news addresses(u8 last, u32 ttl)
{
    struct dns_news news = { .n4 = 1, .ttl = ttl, .ips = { 192, 0, 2, last } };
    return news;
}

static void store(struct dns_entry *e, struct dns_news news)
{
    dns_cache_store(cache, e, &news, now, true);
}

static void fails(struct dns_entry *e, enum fault f)
{
    store(e, (struct dns_news){ .fault = f, .ttl = 1 });
}

/* What was parked has been woken. */
static void take_ready(struct dns_wait *w)
{
    assert_true(w->ready);
    assert_ptr_equal(list_pop(&ready_queue.ready), &w->link);
    w->ready_queue = NULL;
    ready_queue.posted = false;
    call_take(&loop.calls);
}

static void learn(const char *name, u8 last, u32 ttl)
{
    assert_int_equal(find(name), DNS_PARKED_ASK);
    store(entry, addresses(last, ttl));
    take_ready(&wait);
}

static void assert_is(u8 last, bool stale)
{
    assert_int_equal(wait.answer.fault, FAULT_NONE);
    assert_int_equal(wait.answer.n, 1);
    assert_int_equal(wait.answer.addr[0].family, AF_INET);
    assert_int_equal(wait.answer.addr[0].ip[3], last);
    assert_int_equal(wait.answer.stale, stale);
}

static void lives_as_long_as_its_ttl(void **state)
{
    (void)state;
    learn("a", 1, 100);
    assert_is(1, false);
    now += 89999;
    assert_int_equal(find("a"), DNS_FOUND);
    assert_is(1, false);
    now += 10001;
    assert_int_equal(find("a"), DNS_PARKED_ASK);
    store(entry, addresses(2, 100));
    take_ready(&wait);
    assert_is(2, false);
}

static void last_tenth_refreshes_in_the_background(void **state)
{
    (void)state;
    learn("a", 1, 100);
    now += 95000;
    assert_int_equal(find("a"), DNS_FOUND_ASK);
    assert_is(1, false);
    struct dns_entry *e = entry;
    assert_int_equal(find("a"), DNS_FOUND); /* one is enough */
    store(e, addresses(2, 100));
    assert_int_equal(find("a"), DNS_FOUND);
    assert_is(2, false);
    now += 95000;
    assert_int_equal(find("a"), DNS_FOUND_ASK);
    fails(entry, FAULT_dns_failure); /* does no harm while the old one is fresh */
    assert_int_equal(find("a"), DNS_FOUND);
    assert_is(2, false);
    now += 1000;
    assert_int_equal(find("a"), DNS_FOUND_ASK);
}

static void negative_answers_are_kept(void **state)
{
    (void)state;
    assert_int_equal(find("a"), DNS_PARKED_ASK);
    store(entry, (struct dns_news){ .fault = FAULT_dns_nxdomain, .ttl = 10 });
    take_ready(&wait);
    assert_int_equal(wait.answer.fault, FAULT_dns_nxdomain);
    now += 9999; /* no refresh in the background for these */
    assert_int_equal(find("a"), DNS_FOUND);
    assert_int_equal(wait.answer.fault, FAULT_dns_nxdomain);
    assert_int_equal(wait.answer.n, 0);
    now += 1;
    assert_int_equal(find("a"), DNS_PARKED_ASK);
    fails(entry, FAULT_dns_timeout);
    take_ready(&wait);
    assert_int_equal(wait.answer.fault, FAULT_dns_timeout);
    now += DNS_FAILURE_HOLD_MS - 1;
    assert_int_equal(find("a"), DNS_FOUND);
    assert_int_equal(wait.answer.fault, FAULT_dns_timeout);
    now += 1;
    assert_int_equal(find("a"), DNS_PARKED_ASK);
    dns_cache_leave(&wait);
    store(entry, addresses(1, 10));
}

/* It says nothing of the name: the next look-up asks anew, unless an older answer stands in. */
static void a_want_of_descriptors_is_not_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(find("a"), DNS_PARKED_ASK);
        fails(entry, FAULT_out_of_descriptors);
        take_ready(&wait);
        assert_int_equal(wait.answer.fault, FAULT_out_of_descriptors);
    }
    learn("b", 1, 100);
    now += 100000;
    assert_int_equal(find("b"), DNS_PARKED_ASK);
    fails(entry, FAULT_out_of_descriptors);
    take_ready(&wait);
    assert_is(1, true);
}

static void stale_for_an_hour(void **state)
{
    (void)state;
    learn("a", 1, 100);
    u64 expired = now + 100000;
    now = expired;
    assert_int_equal(find("a"), DNS_PARKED_ASK); /* the first waits, */
    fails(entry, FAULT_dns_timeout);
    take_ready(&wait);
    assert_is(1, true);
    now += DNS_STALE_HOLD_MS - 1;
    assert_int_equal(find("a"), DNS_FOUND); /* the others do not, */
    assert_is(1, true);
    now += 1;
    assert_int_equal(find("a"), DNS_FOUND_ASK); /* and attempts go on behind them */
    assert_is(1, true);
    fails(entry, FAULT_dns_failure);
    now = expired + DNS_STALE_MS - 1;
    assert_int_equal(find("a"), DNS_FOUND_ASK);
    assert_is(1, true);
    struct dns_entry *e = entry;
    now++;
    assert_int_equal(find("a"), DNS_PARKED);
    fails(e, FAULT_dns_failure);
    take_ready(&wait);
    assert_int_equal(wait.answer.fault, FAULT_dns_failure);
    assert_int_equal(wait.answer.n, 0);
}

static void stale_ends_when_the_resolver_is_back(void **state)
{
    (void)state;
    learn("a", 1, 1);
    now += 1000;
    find("a");
    fails(entry, FAULT_dns_timeout);
    take_ready(&wait);
    now += DNS_STALE_HOLD_MS;
    assert_int_equal(find("a"), DNS_FOUND_ASK);
    store(entry, addresses(2, 100));
    assert_int_equal(find("a"), DNS_FOUND);
    assert_is(2, false);
}

static void gone_is_gone_whatever_was_before(void **state)
{
    (void)state;
    learn("a", 1, 1);
    now += 1000;
    assert_int_equal(find("a"), DNS_PARKED_ASK);
    store(entry, (struct dns_news){ .fault = FAULT_dns_nxdomain, .ttl = 1 });
    take_ready(&wait);
    assert_int_equal(wait.answer.fault, FAULT_dns_nxdomain);
    now += 1000;
    assert_int_equal(find("a"), DNS_PARKED_ASK);
    fails(entry, FAULT_dns_timeout); /* the addresses of before are not brought back */
    take_ready(&wait);
    assert_int_equal(wait.answer.fault, FAULT_dns_timeout);
}

static void one_asks_the_others_wait(void **state)
{
    (void)state;
    enum { N = 50 };
    static struct dns_wait w[N];
    struct dns_entry *first = NULL;
    for (unsigned i = 0; i < N; i++) {
        enum dns_found f =
            dns_cache_find(cache, SLICE("a"), now, true, &ready_queue, &w[i], &entry);
        assert_int_equal(f, i ? DNS_PARKED : DNS_PARKED_ASK);
        first = i ? first : entry;
        assert_ptr_equal(first, entry);
    }
    dns_cache_leave(&w[3]); /* parked */
    struct dns_news news = addresses(9, 10);
    dns_cache_store(cache, first, &news, now, false);
    dns_cache_leave(&w[5]); /* woken, without its answer yet */
    dns_cache_leave(&w[5]);
    unsigned woken = 0;
    for (struct list *n; (n = list_pop(&ready_queue.ready)) != NULL; woken++) {
        struct dns_wait *x = container_of(n, struct dns_wait, link);
        assert_true(x != &w[3] && x != &w[5]);
        assert_int_equal(x->answer.addr[0].ip[3], 9);
    }
    assert_int_equal(woken, N - 2);
    now += 9500;
    assert_int_equal(find("a"), DNS_FOUND); /* the flight is not over: no second one */
    dns_cache_store(cache, first, &news, now, true);
}

static void refused_without_room_for_a_flight(void **state)
{
    (void)state;
    assert_int_equal(dns_cache_find(cache, SLICE("a"), now, false, &ready_queue, &wait, &entry),
                     DNS_REFUSED);
    assert_int_equal(wait.answer.fault, FAULT_dns_failure);
    assert_int_equal(dns_shared_names(cache), 0); /* leaves nothing behind */
    learn("a", 1, 10);
    now += 9500;
    assert_int_equal(dns_cache_find(cache, SLICE("a"), now, false, &ready_queue, &wait, &entry),
                     DNS_FOUND);
    now += 1000;
    assert_int_equal(dns_cache_find(cache, SLICE("a"), now, false, &ready_queue, &wait, &entry),
                     DNS_REFUSED);
    assert_is(1, true);
    assert_int_equal(find("a"), DNS_PARKED_ASK);
    struct dns_wait second = { .ready_queue = NULL };
    assert_int_equal(dns_cache_find(cache, SLICE("a"), now, false, &ready_queue, &second, &entry),
                     DNS_PARKED);
    dns_cache_leave(&second);
    dns_cache_leave(&wait);
    store(entry, addresses(1, 10));
}

static void winners(void **state)
{
    (void)state;
    dns_cache_prefer(cache, SLICE("a"), now, AF_INET6); /* unknown name: nothing */
    assert_int_equal(dns_shared_names(cache), 0);
    learn("a", 1, 300);
    dns_cache_prefer(cache, SLICE("a"), now, AF_INET);
    find("a");
    assert_int_equal(wait.answer.preferred, AF_INET);
    store(entry, addresses(1, 300)); /* outlives news */
    now += DNS_WINNER_MS - 1;
    find("a");
    dns_cache_leave(&wait);
    store(entry, addresses(1, 300));
    find("a");
    assert_int_equal(wait.answer.preferred, AF_INET);
    now += 1;
    find("a");
    assert_int_equal(wait.answer.preferred, 0);
}

static void both_families_in_order(void **state)
{
    (void)state;
    struct dns_news news = { .n6 = 2, .n4 = 1, .ttl = 10 };
    news.ips[0] = 0xfd;
    news.ips[16] = 0xfe;
    memcpy(news.ips + 32, "\xc0\0\2\1", 4);
    find("a");
    store(entry, news);
    take_ready(&wait);
    assert_int_equal(wait.answer.n, 3);
    assert_int_equal(wait.answer.nv6, 2);
    assert_int_equal(wait.answer.addr[0].ip[0], 0xfd);
    assert_int_equal(wait.answer.addr[1].ip[0], 0xfe);
    assert_int_equal(wait.answer.addr[2].family, AF_INET);
    assert_int_equal(wait.answer.addr[2].ip[15], 0);
}

/* A scan of three times what fits: a name in use stays, so does one being asked for. */
static void bounded_and_scan_resistant(void **state)
{
    (void)state;
    static struct dns_wait flying;
    struct dns_entry *flight;
    char name[64];
    dns_cache_find(cache, SLICE("flying"), now, true, &ready_queue, &flying, &flight);
    learn("in.use", 1, 300);
    for (unsigned i = 0; i < 3 * DNS_CACHE_NAMES; i++) {
        snprintf(name, sizeof name, "scan%u.test", i);
        dns_cache_find(cache, slice_of(name), now, true, &ready_queue, &wait, &entry);
        dns_cache_leave(&wait);
        store(entry, addresses(1, 300));
        if (i % 100 == 0)
            assert_int_equal(find("in.use"), DNS_FOUND);
    }
    u64 names = dns_shared_names(cache), bytes = dns_shared_bytes(cache);
    print_message("%llu names, %llu bytes each\n", (unsigned long long)names,
                  (unsigned long long)(bytes / names));
    assert_in_range(names, DNS_CACHE_NAMES / 2, DNS_CACHE_NAMES + 64);
    assert_true(bytes < DNS_CACHE_BYTES);
    store(flight, addresses(7, 300));
    take_ready(&flying);
    assert_int_equal(flying.answer.addr[0].ip[3], 7);
}

static void long_names_and_many_addresses_count(void **state)
{
    (void)state;
    char name[256];
    struct dns_news news = { .n6 = 8, .n4 = 8, .ttl = 300 };
    for (unsigned i = 0; i < DNS_CACHE_NAMES; i++) {
        memset(name, 'x', sizeof name);
        int n = snprintf(name, sizeof name, "%u", i);
        name[n] = 'x';
        dns_cache_find(cache, (struct slice){ name, 250 }, now, true, &ready_queue, &wait, &entry);
        dns_cache_leave(&wait);
        store(entry, news);
    }
    assert_true(dns_shared_bytes(cache) < DNS_CACHE_BYTES + DNS_CACHE_BYTES / 10);
    assert_true(dns_shared_names(cache) < DNS_CACHE_NAMES);
}

static void search(void **state)
{
    (void)state;
    static const char *untouched[] = { "a.b", "localhost", "", "::1", "a." };
    char area[300];
    for (unsigned i = 0; i < countof(untouched); i++) {
        struct text t = text_in(area, sizeof area);
        assert_false(dns_search(cache, slice_of(untouched[i]), &t));
        assert_int_equal(t.n, 0);
    }
    struct text t = text_in(area, sizeof area);
    assert_true(dns_search(cache, SLICE("wiki"), &t));
    assert_true(slice_is(text_slice(&t), "wiki.corp.example"));
    struct dns_conf_io none = { .nservers = 0 };
    struct dns_shared *s = dns_cache_of_conf(&none);
    assert_false(dns_search(s, SLICE("wiki"), &t));
    dns_cache_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lives_as_long_as_its_ttl),
        TEST(last_tenth_refreshes_in_the_background),
        TEST(negative_answers_are_kept),
        TEST(a_want_of_descriptors_is_not_kept),
        TEST(stale_for_an_hour),
        TEST(stale_ends_when_the_resolver_is_back),
        TEST(gone_is_gone_whatever_was_before),
        TEST(one_asks_the_others_wait),
        TEST(refused_without_room_for_a_flight),
        TEST(winners),
        TEST(both_families_in_order),
        TEST(bounded_and_scan_resistant),
        TEST(long_names_and_many_addresses_count),
        TEST(search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
