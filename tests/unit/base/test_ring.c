/* The log ring: wrap-around at every offset, dropping when full, and two threads at full speed. */
#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A record that says of itself how long it is and what it holds. */
static void fill(char *p, u32 n, u32 number)
{
    for (u32 i = 0; i < n; i++)
        p[i] = (char)(number + i);
}
static bool is_filled(struct slice s, u32 n, u32 number)
{
    if (s.n != n)
        return false;
    for (u32 i = 0; i < n; i++)
        if (s.p[i] != (char)(number + i))
            return false;
    return true;
}

static bool put(struct ring *r, u32 reserve, u32 n, u32 number)
{
    char *p = ring_reserve(r, reserve);
    if (p == NULL)
        return false;
    assert_int_equal((uintptr_t)p % 8, 0);
    fill(p, n, number);
    ring_commit(r, n);
    return true;
}

static void every_length_round_and_round(void **state)
{
    (void)state;
    struct ring r;
    ring_init(&r, 512);
    for (u32 i = 0; i < 20000; i++) {
        u32 n = 1 + i * 7 % 248;
        assert_true(put(&r, n, n, i));
        assert_true(is_filled(ring_peek(&r), n, i));
        assert_true(is_filled(ring_peek(&r), n, i));
        ring_pop(&r);
        assert_null(ring_peek(&r).p);
    }
    assert_int_equal(atomic_load(&r.dropped), 0);
    ring_free(&r);
}

static void fills_up_and_recovers(void **state)
{
    (void)state;
    struct ring r;
    ring_init(&r, 256);
    for (unsigned round = 0; round < 50; round++) {
        u32 n = 0;
        while (put(&r, 20, 20, n))
            n++;
        assert_in_range(n, 7, 8); /* 32 bytes each, a filler may take one place */
        for (u32 i = 0; i < n; i++) {
            assert_true(is_filled(ring_peek(&r), 20, i));
            ring_pop(&r);
        }
        assert_null(ring_peek(&r).p);
        assert_int_equal(atomic_load(&r.dropped), round + 1);
        put(&r, 9, 9, 1); /* moves the offset on */
        assert_true(is_filled(ring_peek(&r), 9, 1));
        ring_pop(&r);
    }
    ring_free(&r);
}

static void too_large_is_dropped(void **state)
{
    (void)state;
    struct ring r;
    ring_init(&r, 256);
    assert_null(ring_reserve(&r, 0));
    assert_null(ring_reserve(&r, 121));
    assert_null(ring_reserve(&r, UINT32_MAX));
    assert_true(put(&r, 120, 120, 1));
    assert_int_equal(atomic_load(&r.dropped), 3);
    ring_free(&r);
}

static void commits_less_than_reserved(void **state)
{
    (void)state;
    struct ring r;
    ring_init(&r, 512);
    for (u32 i = 0; i < 1000; i++) {
        assert_true(put(&r, 100, 1 + i % 100, i));
        assert_non_null(ring_reserve(&r, 100)); /* given up again: nothing is seen of it */
        assert_true(put(&r, 3, 3, i));
        assert_true(is_filled(ring_peek(&r), 1 + i % 100, i));
        ring_pop(&r);
        assert_true(is_filled(ring_peek(&r), 3, i));
        ring_pop(&r);
        assert_null(ring_peek(&r).p);
    }
    ring_free(&r);
}

enum { RECORDS = 300000 };
static struct ring shared;

static u32 length_of(u32 number)
{
    return 4 + number * 13 % 200;
}

static void *produce(void *arg)
{
    (void)arg;
    for (u32 i = 0; i < RECORDS;) {
        if (put(&shared, length_of(i), length_of(i), i))
            i++;
        else
            sched_yield();
    }
    return NULL;
}

static void two_threads(void **state)
{
    (void)state;
    pthread_t thread;
    ring_init(&shared, 4096);
    assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
    for (u32 i = 0; i < RECORDS;) {
        struct slice s = ring_peek(&shared);
        if (s.p == NULL) {
            sched_yield();
            continue;
        }
        assert_true(is_filled(s, length_of(i), i));
        ring_pop(&shared);
        i++;
    }
    pthread_join(thread, NULL);
    assert_null(ring_peek(&shared).p);
    assert_int_equal(ring_backlog(&shared), 0);
    ring_free(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_round_and_round),
        cmocka_unit_test(fills_up_and_recovers),
        cmocka_unit_test(too_large_is_dropped),
        cmocka_unit_test(commits_less_than_reserved),
        cmocka_unit_test(two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
