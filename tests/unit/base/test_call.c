/* The call queue under many senders: nothing lost, nothing twice, each sender's order kept. */
#include "base/call.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SENDERS = 4, CALLS = 50000 };

struct numbered {
    struct call call;
    unsigned sender, number;
};

static struct call_queue box;
static struct numbered calls[SENDERS][CALLS];
static _Atomic unsigned found_empty;

static void *send_all(void *arg)
{
    struct numbered *own = arg;
    for (unsigned i = 0; i < CALLS; i++) {
        if (call_post(&box, &own[i].call))
            atomic_fetch_add(&found_empty, 1);
        if (i % 1024 == 0)
            sched_yield();
    }
    return NULL;
}

static void many_senders(void **state)
{
    (void)state;
    pthread_t thread[SENDERS];
    unsigned next[SENDERS] = { 0 }, total = 0, takes = 0;
    for (unsigned s = 0; s < SENDERS; s++)
        for (unsigned i = 0; i < CALLS; i++)
            calls[s][i] = (struct numbered){ .sender = s, .number = i };
    for (unsigned s = 0; s < SENDERS; s++)
        assert_int_equal(pthread_create(&thread[s], NULL, send_all, calls[s]), 0);
    while (total < SENDERS * CALLS) {
        struct call *l = call_take(&box);
        takes += l != NULL;
        while (l) {
            struct numbered *n = container_of(l, struct numbered, call);
            l = l->next;
            assert_int_equal(n->number, next[n->sender]);
            next[n->sender]++;
            total++;
        }
    }
    for (unsigned s = 0; s < SENDERS; s++)
        pthread_join(thread[s], NULL);
    assert_null(call_take(&box));
    /* Every batch began with exactly one post that found the box empty. */
    assert_int_equal(atomic_load(&found_empty), takes);
}

static void order_and_emptiness(void **state)
{
    (void)state;
    struct call_queue m = { NULL };
    struct numbered n[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
    assert_null(call_take(&m));
    assert_true(call_post(&m, &n[0].call));
    assert_false(call_post(&m, &n[1].call));
    assert_false(call_post(&m, &n[2].call));
    struct call *l = call_take(&m);
    for (unsigned i = 0; i < 3; i++, l = l->next)
        assert_ptr_equal(l, &n[i].call);
    assert_null(l);
    assert_true(call_post(&m, &n[0].call));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(order_and_emptiness),
                                        cmocka_unit_test(many_senders) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
