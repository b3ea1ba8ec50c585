/* Connections per client address: counted over all workers, IPv6 by site, never leaking a place. */
#include "core/conn/client_count.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/help_memory.h"

static struct addr at(const char *text)
{
    struct addr a;
    assert_true(addr_parse(slice_of(text), &a));
    return a;
}

static bool enters(struct client_count *p, const struct addr *a, u32 most)
{
    enum fault f = client_count_enter(p, a, most);
    assert_true(f == FAULT_NONE || f == FAULT_too_many_from_address);
    return f == FAULT_NONE;
}

static void a_limit_per_address(void **state)
{
    (void)state;
    struct client_count *p = client_count_new();
    struct addr a = at("192.0.2.1"), b = at("192.0.2.2");
    for (int round = 0; round < 3; round++) {
        assert_true(enters(p, &a, 2));
        assert_true(enters(p, &a, 2));
        assert_false(enters(p, &a, 2)); /* who is refused is not counted */
        assert_false(enters(p, &a, 2));
        assert_true(enters(p, &b, 2));
        client_count_leave(p, &a);
        assert_true(enters(p, &a, 2));
        client_count_leave(p, &a);
        client_count_leave(p, &a);
        client_count_leave(p, &b);
    }
    client_count_free(p);
}

static void ports_are_nothing_but_sites_are(void **state)
{
    (void)state;
    struct client_count *p = client_count_new();
    struct addr a = at("2001:db8:1:2:3:4:5:6"), same_site = at("2001:db8:1:2::1"),
                other_site = at("2001:db8:1:3::1"), v4 = at("192.0.2.1"), v4_again = v4;
    assert_true(enters(p, &a, 1));
    assert_false(enters(p, &same_site, 1));
    assert_true(enters(p, &other_site, 1));
    v4.port = 1000;
    v4_again.port = 2000;
    assert_true(enters(p, &v4, 1));
    assert_false(enters(p, &v4_again, 1));
    client_count_leave(p, &same_site);
    assert_true(enters(p, &a, 1));
    client_count_free(p);
}

static struct addr numbered(u32 i)
{
    return (struct addr){ .family = AF_INET, .ip = { 10, (u8)(i >> 16), (u8)(i >> 8), (u8)i } };
}

/* The tables widen on the way and find everybody again. */
static void many_addresses(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    struct client_count *p = client_count_new();
    for (u32 i = 0; i < MANY; i++) {
        struct addr a = numbered(i);
        assert_true(enters(p, &a, 1));
    }
    for (u32 i = 0; i < MANY; i++) {
        struct addr a = numbered(i);
        if (enters(p, &a, 1))
            fail_msg("%u was forgotten", i);
        if (i % 2)
            client_count_leave(p, &a);
    }
    for (u32 i = 0; i < MANY; i++) {
        struct addr a = numbered(i);
        if (enters(p, &a, 1) != (i % 2 == 1))
            fail_msg("%u is wrong", i);
    }
    client_count_free(p);
}

/* Who cannot be counted is not let in; a table that cannot widen goes on as it is. */
static void without_memory(void **state)
{
    (void)state;
    struct client_count *p = client_count_new();
    struct addr a = numbered(0);
    memory_refuse(1, false);
    assert_int_equal(client_count_enter(p, &a, 1), FAULT_out_of_memory);
    assert_int_equal(memory_relent(), 1);
    unsigned inside = 0, refused = 0;
    for (u32 i = 0; i < 50000; i++) {
        a = numbered(i);
        memory_refuse(1, false);
        inside += client_count_enter(p, &a, 1) == FAULT_NONE;
        refused += memory_relent();
        inside += client_count_enter(p, &a, 1) == FAULT_NONE;
    }
    assert_int_equal(inside, 50000);
    assert_int_equal(refused, 50000);
    for (u32 i = 0; i < 50000; i++) {
        a = numbered(i);
        client_count_leave(p, &a);
    }
    client_count_free(p);
}

enum { THREADS = 4, EACH = 5000, LIMIT = 2 };
static struct client_count *shared_client_count;
static _Atomic int inside[8];

static void *come_and_go(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    for (unsigned i = 0; i < EACH; i++) {
        unsigned k = rand_r(&seed) % 8;
        struct addr a = numbered(k);
        if (!enters(shared_client_count, &a, LIMIT))
            continue;
        if (__atomic_add_fetch((int *)&inside[k], 1, __ATOMIC_SEQ_CST) > LIMIT)
            abort();
        __atomic_sub_fetch((int *)&inside[k], 1, __ATOMIC_SEQ_CST);
        client_count_leave(shared_client_count, &a);
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    pthread_t id[THREADS];
    unsigned seed[THREADS];
    shared_client_count = client_count_new();
    for (unsigned i = 0; i < THREADS; i++) {
        seed[i] = i;
        pthread_create(&id[i], NULL, come_and_go, &seed[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(id[i], NULL);
    for (u32 k = 0; k < 8; k++) { /* all places are free again */
        struct addr a = numbered(k);
        assert_true(enters(shared_client_count, &a, 1));
    }
    client_count_free(shared_client_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_per_address),
        cmocka_unit_test(ports_are_nothing_but_sites_are),
        cmocka_unit_test(many_addresses),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
