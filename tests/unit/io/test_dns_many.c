/* Many look-ups: cancelling, single flight over all workers, caps, and ends in the middle. */
#include "io/dns.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "help_lookup.h"
#include "io/dns_turn.h"

static void cancelled_is_never_called(void **state)
{
    (void)state;
    enum { N = 20 };
    struct ask a[N], b;
    rule((struct rule){ "slow.test", .addresses = "192.0.2.1", .minimum = 5, .delay_ms = 30 });
    for (unsigned i = 0; i < N; i++)
        assert_false(begin(&w, &a[i], "slow.test"));
    for (unsigned i = 0; i < N; i += 2)
        dns_cancel(w.dns, &a[i].wait);
    turn_until(&w, &a[1]);
    turn_for(&w, 50);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(a[i].calls, i % 2);
        dns_cancel(w.dns, &a[i].wait); /* harmless afterwards */
    }
    assert_false(begin(&w, &b, "gone.test"));
    dns_cancel(w.dns, &b.wait);
    turn_for(&w, 50);
    assert_true(begin(&w, &b, "gone.test"));            /* the flight went on for the cache */
    assert_int_equal(count(STAT_dns_queries_total), 4); /* retries by c-ares not counted */
}

static struct ask last;
static void cancel_the_next(struct dns_wait *wait)
{
    on_done(wait);
    dns_cancel(w.dns, &last.wait);
}

static void done_may_cancel_another_that_is_ready(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "pair.test", .addresses = "192.0.2.1", .minimum = 5 });
    assert_false(begin(&w, &a, "pair.test"));
    a.wait.done = cancel_the_next;
    assert_false(begin(&w, &last, "pair.test"));
    turn_until(&w, &a);
    turn_for(&w, 30);
    assert_int_equal(last.calls, 0);
}

enum { WORKERS = 4, ASKS = 50 };
struct crew {
    pthread_t thread;
    struct worker worker;
    struct ask ask[ASKS];
    bool right_thread;
};
static struct crew crew[WORKERS];
static pthread_barrier_t barrier;

static void *work(void *arg)
{
    struct crew *c = arg;
    lookup_worker_start(&c->worker, shared);
    pthread_barrier_wait(&barrier);
    unsigned left = ASKS;
    for (unsigned i = 0; i < ASKS; i++)
        if (begin(&c->worker, &c->ask[i], "shared.test"))
            c->ask[i].calls = 1, c->ask[i].thread = pthread_self();
    while (left) {
        loop_turn(&c->worker.loop, 100);
        left = 0;
        for (unsigned i = 0; i < ASKS; i++)
            left += c->ask[i].calls == 0;
    }
    c->right_thread = true;
    for (unsigned i = 0; i < ASKS; i++)
        c->right_thread &= pthread_equal(c->ask[i].thread, pthread_self()) != 0;
    pthread_barrier_wait(&barrier);
    lookup_worker_stop(&c->worker);
    return NULL;
}

static void single_flight_over_all_workers(void **state)
{
    (void)state;
    rule((struct rule){ "shared.test", .addresses = "192.0.2.1", .minimum = 5, .delay_ms = 30 });
    pthread_barrier_init(&barrier, NULL, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_create(&crew[i].thread, NULL, work, &crew[i]);
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(crew[i].thread, NULL);
        assert_true(crew[i].right_thread);
        for (unsigned k = 0; k < ASKS; k++)
            assert_string_equal(said(&crew[i].ask[k].wait.answer), "192.0.2.1");
    }
    u64 questions = 0; /* retries by c-ares not counted */
    for (unsigned i = 0; i < WORKERS; i++)
        questions += atomic_load(&crew[i].worker.stats.value[STAT_dns_queries_total]);
    assert_int_equal(questions, 2);
    assert_true(resolver_asked(resolver, "shared.test", TYPE_A) >= 1);
    pthread_barrier_destroy(&barrier);
}

/* Two threads ask and cancel at random for names that come and go; for the sanitizers. */
static void *churn(void *arg)
{
    struct crew *c = arg;
    u32 seed = (u32)(c - crew) + 7;
    char name[32];
    lookup_worker_start(&c->worker, shared);
    for (unsigned i = 0; i < ASKS; i++)
        c->ask[i] = (struct ask){ .wait.done = on_done };
    for (unsigned step = 0; step < 4000; step++) {
        seed = seed * 1664525 + 1013904223;
        struct ask *a = &c->ask[(seed >> 8) % ASKS];
        dns_cancel(c->worker.dns, &a->wait);
        snprintf(name, sizeof name, "churn%u.test", (seed >> 16) % 40);
        if ((seed >> 28) > 2)
            begin(&c->worker, a, name);
        loop_turn(&c->worker.loop, step % 16 ? 0 : 1);
    }
    for (unsigned i = 0; i < ASKS; i++)
        dns_cancel(c->worker.dns, &c->ask[i].wait);
    lookup_worker_stop(&c->worker); /* with flights under way that others may wait for */
    return NULL;
}

static void churning(void **state)
{
    (void)state;
    static char names[40][32];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "churn%u.test", i);
        rule((struct rule){ names[i], .addresses = "192.0.2.1", .ttl = 1,
                            .rcode = i % 4 == 3 ? 2 : 0, .delay_ms = i % 3 * 4, .minimum = 1 });
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_create(&crew[i].thread, NULL, churn, &crew[i]);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(crew[i].thread, NULL);
}

/* ---- a dead resolver harms nobody ---- */

/* A zone whose servers never answer is asked for more names than fit, and other names meanwhile:
 * they are answered as if nothing were, and the dead ones are over in their time. */
static void a_dead_zone_takes_its_share(void **state)
{
    (void)state;
    enum { DEAD = 1600, OTHERS = 100 };
    static struct ask a[DEAD], b;
    static char name[OTHERS][32];
    char dead[32];
    unsigned late = 0;
    resolver_silent_zone(resolver, ".dead.test");
    for (unsigned i = 0; i < DEAD; i++) {
        snprintf(dead, sizeof dead, "n%u.dead.test", i);
        assert_false(begin(&w, &a[i], dead));
    }
    assert_int_equal(count(STAT_dns_waits_total), DEAD - DNS_TURNS_CLIENT_ZONE);
    for (unsigned i = 0; i < OTHERS; i++) {
        snprintf(name[i], sizeof name[i], "n%u.zone%u.test", i, i % 7);
        rule((struct rule){ name[i], .addresses = "192.0.2.1 2001:db8::1" });
        assert_string_equal(look_up(name[i], &b), "2001:db8::1 192.0.2.1");
        late += b.took_ms > 100; /* 10 ms, times ten */
    }
    print_message("%u of %u other names were late\n", late, OTHERS);
    assert_true(late <= OTHERS / 20); /* the machine may be busy */
    for (unsigned i = 0; i < DEAD; i++) {
        if (a[i].calls == 0)
            turn_until(&w, &a[i]);
        assert_string_equal(said(&a[i].wait.answer), "dns_timeout");
        assert_in_range(a[i].took_ms, 600, 6000);
    }
}

/* A client that asks for names of many dead zones takes its share, and no other client waits. */
static void a_client_takes_its_share(void **state)
{
    (void)state;
    enum { DEAD = 1000, OTHERS = 50 };
    static struct ask a[DEAD], b;
    static char name[OTHERS][32];
    char dead[32];
    const struct addr one = { .family = AF_INET, .ip = { 192, 0, 2, 1 } };
    const struct addr two = { .family = AF_INET, .ip = { 192, 0, 2, 2 } };
    resolver_silent_zone(resolver, "dead.test");
    for (unsigned i = 0; i < DEAD; i++) {
        snprintf(dead, sizeof dead, "n%u.zone%udead.test", i, i % 100);
        a[i] = (struct ask){ .wait.done = on_done };
        assert_false(dns_lookup(w.dns, slice_of(dead), &one, &a[i].wait));
    }
    assert_int_equal(count(STAT_dns_waits_total), DEAD - DNS_TURNS_CLIENT);
    for (unsigned i = 0; i < OTHERS; i++) {
        snprintf(name[i], sizeof name[i], "n%u.alive.test", i);
        rule((struct rule){ name[i], .addresses = "192.0.2.1", .minimum = 5 });
        b = (struct ask){ .wait.done = on_done };
        assert_false(dns_lookup(w.dns, slice_of(name[i]), &two, &b.wait));
        turn_until(&w, &b);
        assert_string_equal(said(&b.wait.answer), "192.0.2.1");
    }
    assert_int_equal(count(STAT_dns_waits_total), DEAD - DNS_TURNS_CLIENT);
    for (unsigned i = 0; i < DEAD; i++)
        dns_cancel(w.dns, &a[i].wait);
}

static const char *look_up_for(const struct addr *client, const char *name, struct ask *a)
{
    *a = (struct ask){ .wait.done = on_done };
    if (!dns_lookup(w.dns, slice_of(name), client, &a->wait))
        turn_until(&w, a);
    return said(&a->wait.answer);
}

/* What a client is refused, or waits for in vain, because it asks for too much, says nothing of the
 * name: the next client that wants it is not told so. */
static void a_full_queue_says_nothing_of_a_name(void **state)
{
    (void)state;
    enum { MOST = DNS_TURNS_CLIENT + DNS_WAITING_CLIENT };
    static struct ask a[MOST];
    struct ask b;
    char dead[32];
    const struct addr one = { .family = AF_INET, .ip = { 192, 0, 2, 1 } };
    const struct addr two = { .family = AF_INET, .ip = { 192, 0, 2, 2 } };
    resolver_silent_zone(resolver, "dead.test");
    rule((struct rule){ "waited.test", .addresses = "192.0.2.8", .minimum = 5 });
    rule((struct rule){ "refused.test", .addresses = "192.0.2.9", .minimum = 5 });
    for (unsigned i = 0; i < MOST; i++) {
        snprintf(dead, sizeof dead, "n%u.zone%udead.test", i, i % 100);
        a[i] = (struct ask){ .wait.done = on_done };
        const char *name = i + 1 < MOST ? dead : "waited.test";
        assert_false(dns_lookup(w.dns, slice_of(name), &one, &a[i].wait));
    }
    assert_string_equal(look_up_for(&one, "refused.test", &b), "dns_failure");
    assert_string_equal(look_up_for(&two, "refused.test", &b), "192.0.2.9");
    turn_until(&w, &a[MOST - 1]);
    assert_string_equal(said(&a[MOST - 1].wait.answer), "dns_timeout");
    assert_string_equal(look_up_for(&two, "waited.test", &b), "192.0.2.8");
    for (unsigned i = 0; i < MOST; i++)
        dns_cancel(w.dns, &a[i].wait);
}

/* A name that one client has in line behind its many others is asked for at once when another client
 * wants it that has a place of its own; both have the answer, and nobody asks once more. */
static void a_name_in_line_is_asked_for_another_client(void **state)
{
    (void)state;
    enum { SLOW = DNS_TURNS_CLIENT_ZONE };
    static struct ask a[SLOW + 1], b;
    static char name[SLOW][32];
    const struct addr one = { .family = AF_INET, .ip = { 192, 0, 2, 1 } };
    const struct addr two = { .family = AF_INET, .ip = { 192, 0, 2, 2 } };
    rule((struct rule){ "last.zone.test", .addresses = "192.0.2.8", .minimum = 5 });
    for (unsigned i = 0; i < SLOW; i++) {
        snprintf(name[i], sizeof name[i], "n%u.zone.test", i);
        rule((struct rule){ name[i], .addresses = "192.0.2.1", .minimum = 5, .delay_ms = 150 });
    }
    for (unsigned i = 0; i <= SLOW; i++) {
        a[i] = (struct ask){ .wait.done = on_done };
        struct slice wanted = i < SLOW ? slice_of(name[i]) : SLICE("last.zone.test");
        assert_false(dns_lookup(w.dns, wanted, &one, &a[i].wait));
    }
    assert_string_equal(look_up_for(&two, "last.zone.test", &b), "192.0.2.8");
    assert_int_equal(a[0].calls, 0);
    turn_until(&w, &a[SLOW]);
    assert_string_equal(said(&a[SLOW].wait.answer), "192.0.2.8");
    assert_int_equal(a[0].calls, 0);
    for (unsigned i = 0; i < SLOW; i++)
        if (a[i].calls == 0)
            turn_until(&w, &a[i]);
    turn_for(&w, 20);
    assert_int_equal(count(STAT_dns_queries_total), 2 * (SLOW + 1));
}

/* Where the other client has no place either nothing changes; and one that gives up waiting ends
 * nothing for those who wait for a question that is on its way. */
static void a_name_in_line_stays_there(void **state)
{
    (void)state;
    enum { DEAD = DNS_TURNS_CLIENT };
    static struct ask a[DEAD + 1], b[DEAD + 1], c;
    static char name[DEAD][32];
    const struct addr one = { .family = AF_INET, .ip = { 192, 0, 2, 1 } };
    const struct addr two = { .family = AF_INET, .ip = { 192, 0, 2, 2 } };
    const struct addr three = { .family = AF_INET, .ip = { 192, 0, 2, 3 } };
    resolver_silent_zone(resolver, "dead.test");
    rule((struct rule){ "late.test", .addresses = "192.0.2.8", .minimum = 5, .delay_ms = 300 });
    for (unsigned i = 0; i <= DEAD; i++) {
        const char *wanted = i < DEAD ? name[i] : "late.test";
        if (i < DEAD)
            snprintf(name[i], sizeof name[i], "n%u.zone%udead.test", i, i % 50);
        a[i] = (struct ask){ .wait.done = on_done };
        assert_false(dns_lookup(w.dns, slice_of(wanted), &one, &a[i].wait));
        if (i < DEAD)
            snprintf(name[i], sizeof name[i], "m%u.zone%udead.test", i, i % 50);
        b[i] = (struct ask){ .wait.done = on_done };
        assert_false(dns_lookup(w.dns, slice_of(wanted), &two, &b[i].wait));
    }
    turn_for(&w, 450); /* of the 700 that anybody waits */
    assert_int_equal(a[DEAD].calls + b[DEAD].calls, 0);
    assert_string_equal(look_up_for(&three, "late.test", &c), "192.0.2.8");
    turn_until(&w, &a[DEAD]);
    assert_string_equal(said(&a[DEAD].wait.answer), "192.0.2.8");
    for (unsigned i = 0; i <= DEAD; i++) {
        dns_cancel(w.dns, &a[i].wait);
        dns_cancel(w.dns, &b[i].wait);
    }
}

/* When the zone is alive, whoever waited gets its answer, in the order of asking. */
static void who_waits_is_answered(void **state)
{
    (void)state;
    enum { N = 200 };
    static struct ask a[N];
    static char name[N][32];
    for (unsigned i = 0; i < N; i++) {
        snprintf(name[i], sizeof name[i], "n%u.zone.test", i);
        rule((struct rule){ name[i], .addresses = "192.0.2.1", .minimum = 5, .delay_ms = 5 });
    }
    for (unsigned i = 0; i < N; i++)
        assert_false(begin(&w, &a[i], name[i]));
    for (unsigned i = 0; i < N; i++) {
        if (a[i].calls == 0)
            turn_until(&w, &a[i]);
        assert_string_equal(said(&a[i].wait.answer), "192.0.2.1");
    }
    assert_int_equal(count(STAT_dns_waits_total), N - DNS_TURNS_CLIENT_ZONE);
    assert_int_equal(count(STAT_dns_queries_total), 2 * N);
}

/* More than may wait, all dead: whoever is beyond gets an answer at once, and the worker stays
 * free. */
static void names_at_once_are_capped(void **state)
{
    (void)state;
    enum { N = 3000, KEPT = DNS_TURNS_CLIENT + DNS_WAITING_CLIENT };
    static struct ask a[N];
    struct ask b;
    char name[32];
    rule((struct rule){ "warm.test", .addresses = "192.0.2.1", .minimum = 5 });
    look_up("warm.test", &b);
    resolver_dead(resolver, true);
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "dead%u.test", i);
        assert_false(begin(&w, &a[i], name));
    }
    turn_until(&w, &a[N - 1]);
    assert_true(clock_us(CLOCK_MONOTONIC) - t0 < 2000000);
    for (unsigned i = KEPT; i < N; i++)
        assert_string_equal(said(&a[i].wait.answer), "dns_failure");
    assert_int_equal(a[KEPT - 1].calls, 0);
    assert_true(begin(&w, &b, "warm.test")); /* what is known is answered all the while */
    u64 worst = 0, end = clock_us(CLOCK_MONOTONIC) + 1500000;
    while (clock_us(CLOCK_MONOTONIC) < end) { /* and the loop stays free */
        loop_turn(&w.loop, 0);
        t0 = clock_us(CLOCK_MONOTONIC);
        loop_turn(&w.loop, 0);
        u64 took = clock_us(CLOCK_MONOTONIC) - t0;
        worst = took > worst ? took : worst;
        usleep(1000);
    }
    print_message("longest turn with %u dead names: %llu us\n", KEPT, (unsigned long long)worst);
    assert_true(worst < 500000);
    for (unsigned i = 0; i < N; i++)
        dns_cancel(w.dns, &a[i].wait);
    resolver_dead(resolver, false); /* and it recovers by itself */
    turn_for(&w, 100);
    rule((struct rule){ "fresh.test", .addresses = "192.0.2.9", .minimum = 5 });
    assert_string_equal(look_up("fresh.test", &b), "192.0.2.9");
}

/* No descriptor beyond those that are open; returns the limit as it was. */
static struct rlimit no_more_descriptors(void)
{
    struct rlimit old;
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit low = { (rlim_t)next, old.rlim_max };
    setrlimit(RLIMIT_NOFILE, &low);
    return old;
}

/* Reported as what it is, and forgotten at once: it says nothing of the name. */
static void out_of_descriptors(void **state)
{
    (void)state;
    struct ask a;
    rule((struct rule){ "a.test", .addresses = "192.0.2.1", .minimum = 5 });
    struct rlimit old = no_more_descriptors();
    assert_string_equal(look_up("a.test", &a), "out_of_descriptors");
    assert_true(a.took_ms < 650);
    assert_string_equal(look_up("a.test", &a), "out_of_descriptors");
    setrlimit(RLIMIT_NOFILE, &old);
    assert_string_equal(look_up("a.test", &a), "192.0.2.1");
}

static int idle_fd;
static unsigned taken; /* so many descriptors that were given up go to other threads */

static bool close_idle(void *context)
{
    assert_ptr_equal(context, &w);
    if (taken && taken--)
        return true;
    bool there = idle_fd >= 0;
    if (there)
        close(idle_fd);
    idle_fd = -1;
    return there;
}

/* What is idle gives its descriptor. */
static void room_is_made_for_a_socket(void **state)
{
    (void)state;
    struct ask a;
    struct dns_conf_io conf = { .nservers = 1, .make_room = close_idle };
    conf.servers[0] = resolver_addr(resolver);
    lookup_stop();
    shared = dns_shared_new(&conf);
    lookup_worker_start(&w, shared);
    rule((struct rule){ "a.test", .addresses = "192.0.2.1", .minimum = 5 });
    idle_fd = dup(0);
    taken = 20;
    struct rlimit old = no_more_descriptors();
    assert_string_equal(look_up("a.test", &a), "192.0.2.1");
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(idle_fd, -1);
}

/* A worker that ends leaves no one waiting. */
static void freed_with_flights_under_way(void **state)
{
    (void)state;
    static struct worker second;
    struct ask a, b;
    lookup_worker_start(&second, shared);
    rule((struct rule){ "slow.test", .addresses = "192.0.2.1", .delay_ms = 5000 });
    assert_false(begin(&second, &a, "slow.test"));
    assert_false(begin(&w, &b, "slow.test"));
    dns_cancel(second.dns, &a.wait);
    lookup_worker_stop(&second);
    turn_until(&w, &b);
    assert_string_equal(said(&b.wait.answer), "dns_failure");
}

/* A wait that was given up without a dns_cancel: nobody writes to it any more. */
static void freed_with_waits_parked(void **state)
{
    (void)state;
    static struct worker second;
    struct ask *parked = calloc(1, sizeof *parked), *ready = calloc(1, sizeof *ready), a, b;
    rule((struct rule){ "slow.test", .addresses = "192.0.2.1", .minimum = 5, .delay_ms = 60 });
    rule((struct rule){ "quick.test", .addresses = "192.0.2.2", .minimum = 5 });
    lookup_worker_start(&second, shared);
    assert_false(begin(&w, &b, "slow.test"));
    assert_false(begin(&second, parked, "slow.test"));
    assert_false(begin(&w, &a, "quick.test"));
    assert_false(begin(&second, ready, "quick.test"));
    turn_until(&w, &a);
    assert_true(ready->wait.ready); /* in the ready queue, whose call is posted */
    lookup_worker_stop(&second);
    assert_int_equal(parked->calls + ready->calls, 0);
    free(parked);
    free(ready);
    turn_until(&w, &b);
}

static void system_servers(void **state)
{
    (void)state;
    struct dns_conf_io conf = { .nservers = 0 };
    struct dns_shared *s = dns_shared_new(&conf);
    assert_non_null(s);
    static struct worker k;
    lookup_worker_start(&k, s);
    lookup_worker_stop(&k);
    dns_shared_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lookup_set_up, lookup_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cancelled_is_never_called),
        TEST(done_may_cancel_another_that_is_ready),
        TEST(single_flight_over_all_workers),
        TEST(churning),
        TEST(a_dead_zone_takes_its_share),
        TEST(a_client_takes_its_share),
        TEST(a_full_queue_says_nothing_of_a_name),
        TEST(a_name_in_line_is_asked_for_another_client),
        TEST(a_name_in_line_stays_there),
        TEST(who_waits_is_answered),
        TEST(names_at_once_are_capped),
        TEST(out_of_descriptors),
        TEST(room_is_made_for_a_socket),
        TEST(freed_with_flights_under_way),
        TEST(freed_with_waits_parked),
        TEST(system_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
