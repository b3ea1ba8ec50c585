#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/offload.h"

struct work {
    struct offload_job job;
    pthread_t ran_on;
    bool *came_back;
};

static void run(struct offload_job *j)
{
    container_of(j, struct work, job)->ran_on = pthread_self();
}

static void done(struct offload_job *j)
{
    struct work *w = container_of(j, struct work, job);
    assert_false(pthread_equal(w->ran_on, pthread_self()));
    *w->came_back = true;
}

static void test_runs_elsewhere_and_comes_back(void **state)
{
    (void)state;
    struct loop loop;
    bool came_back = false;
    assert_true(loop_init(&loop, NULL));
    struct offload *o = offload_new(2, 10);
    struct work w = { .job = { .run = run, .done = done, .loop = &loop }, .came_back = &came_back };
    assert_true(offload_post(o, &w.job));
    for (int i = 0; i < 100 && !came_back; i++)
        loop_turn(&loop, 100);
    assert_true(came_back);
    offload_end(o);
    offload_free(o);
    loop_free(&loop);
}

static _Atomic int ran;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void run_gated(struct offload_job *j)
{
    (void)j;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_add(&ran, 1);
}

/* One job is running and blocked, one waits: with room for one the third is refused; the end runs
 * both. */
static void test_refuses_beyond_its_queue(void **state)
{
    (void)state;
    struct offload_job job[8];
    struct offload *o = offload_new(1, 2);
    int posted = 0;
    memset(job, 0, sizeof job);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 8; i++) {
        job[i].run = run_gated;
        posted += offload_post(o, &job[i]);
    }
    assert_in_range(posted, 2, 3);
    pthread_mutex_unlock(&gate);
    offload_end(o);
    offload_free(o);
    assert_int_equal(atomic_load(&ran), posted);
}

/* Whoever ends it sees whether a job hangs, and need not hang with it. */
static void test_tells_whether_it_has_ended(void **state)
{
    (void)state;
    struct offload_job job = { .run = run_gated }, late = { .run = run_gated };
    struct offload *o = offload_new(2, 2);
    pthread_mutex_lock(&gate);
    assert_true(offload_post(o, &job));
    assert_false(offload_ended(o));
    offload_end(o);
    assert_false(offload_post(o, &late));
    usleep(20000);
    assert_false(offload_ended(o));
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < 1000 && !offload_ended(o); i++)
        usleep(1000);
    assert_true(offload_ended(o));
    offload_free(o);
}

/* ---- order ---- */

struct noted {
    struct offload_job job;
    char name;
};

static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static char order[64];

static void note(struct offload_job *j)
{
    pthread_mutex_lock(&order_lock);
    order[strlen(order)] = container_of(j, struct noted, job)->name;
    pthread_mutex_unlock(&order_lock);
}

static bool noted_within(const char *what, unsigned ms)
{
    bool there = false;
    for (unsigned i = 0; i <= ms && !there; i++) {
        pthread_mutex_lock(&order_lock);
        there = strcmp(order, what) == 0;
        pthread_mutex_unlock(&order_lock);
        usleep(1000);
    }
    return there;
}

static enum job_kind any_of(enum job_priority p)
{
    enum job_kind k = 0;
    while (job_info(k)->priority != p)
        k++;
    return k;
}

/* While one blocks the only thread, a long one is queued first and short ones after it. */
static void test_short_before_long_but_not_for_ever(void **state)
{
    (void)state;
    enum { SHORTS = OFFLOAD_PASSED + 4 };
    struct offload *o = offload_new(1, 100);
    struct offload_job first = { .kind = any_of(JOB_SHORT), .run = run_gated };
    struct noted last = { { .kind = any_of(JOB_LONG), .run = note }, 'L' }, one[SHORTS];
    char wanted[64] = "";
    memset(order, 0, sizeof order);
    memset(one, 0, sizeof one);
    pthread_mutex_lock(&gate);
    assert_true(offload_post(o, &first));
    while (offload_account(first.kind).running == 0)
        usleep(1000);
    assert_true(offload_post(o, &last.job));
    for (unsigned i = 0; i < SHORTS; i++) {
        one[i] = (struct noted){ { .kind = any_of(JOB_SHORT), .run = note }, 's' };
        assert_true(offload_post(o, &one[i].job));
        if (i == OFFLOAD_PASSED)
            strcat(wanted, "L");
        strcat(wanted, "s");
    }
    pthread_mutex_unlock(&gate);
    offload_end(o);
    offload_free(o);
    assert_string_equal(order, wanted);
}

/* Long ones hang on all threads that they may have; a short one runs, a long one waits. */
static void test_one_thread_is_kept_for_short_ones(void **state)
{
    (void)state;
    struct offload *o = offload_new(3, 100);
    struct offload_job hung[3];
    struct noted quick = { { .kind = any_of(JOB_SHORT), .run = note }, 's' };
    memset(order, 0, sizeof order);
    memset(hung, 0, sizeof hung);
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < 3; i++) {
        hung[i] = (struct offload_job){ .kind = any_of(JOB_LONG), .run = run_gated };
        assert_true(offload_post(o, &hung[i]));
    }
    assert_true(offload_post(o, &quick.job));
    assert_true(noted_within("s", 5000));
    while (offload_account(any_of(JOB_LONG)).running < 2)
        usleep(1000);
    usleep(20000);
    assert_int_equal(offload_account(any_of(JOB_LONG)).running, 2);
    assert_int_equal(offload_account(any_of(JOB_LONG)).queued, 1);
    pthread_mutex_unlock(&gate);
    offload_end(o);
    offload_free(o);
    assert_int_equal(offload_account(any_of(JOB_LONG)).running, 0);
}

/* ---- cancellation ---- */

static _Atomic int finished, dropped;

static void count_done(struct offload_job *j)
{
    (void)j;
    atomic_fetch_add(&finished, 1);
}

static void free_it(struct offload_job *j)
{
    atomic_fetch_add(&dropped, 1);
    free(j);
}

static void run_until_cancelled(struct offload_job *j)
{
    atomic_fetch_add(&ran, 1);
    while (!offload_cancelled(j))
        usleep(1000);
}

static struct offload_job *asked_by(struct loop *loop)
{
    struct offload_job *j = calloc(1, sizeof *j);
    *j = (struct offload_job){ .kind = any_of(JOB_LONG),
                               .run = run_until_cancelled,
                               .done = count_done,
                               .drop = free_it,
                               .loop = loop };
    return j;
}

/* One that waits is given back; one that runs sees the flag and is dropped where it ran, for its
 * loop is gone by then. Both are counted. */
static void test_cancelled_before_and_while_it_runs(void **state)
{
    (void)state;
    struct loop loop;
    struct offload *o = offload_new(1, 100);
    struct offload_account before = offload_account(any_of(JOB_LONG));
    assert_true(loop_init(&loop, NULL));
    struct offload_job *runs = asked_by(&loop), *waits = asked_by(&loop);
    ran = 0;
    assert_true(offload_post(o, runs));
    while (atomic_load(&ran) == 0)
        usleep(1000);
    assert_true(offload_post(o, waits));
    assert_true(offload_cancel(o, waits));
    free(waits);
    assert_false(offload_cancel(o, runs));
    loop_free(&loop);
    offload_end(o);
    offload_free(o);
    struct offload_account after = offload_account(any_of(JOB_LONG));
    assert_int_equal(atomic_load(&ran), 1);
    assert_int_equal(atomic_load(&dropped), 1);
    assert_int_equal(atomic_load(&finished), 0);
    assert_int_equal(after.cancelled - before.cancelled, 2);
    assert_int_equal(after.done, before.done);
    assert_int_equal(after.queued, 0);
    assert_true(after.us > before.us);
}

static void run_at_once(struct offload_job *j)
{
    (void)j;
}

/* Its result lies in the loop's queue already. */
static void test_cancelled_on_its_way_back(void **state)
{
    (void)state;
    struct loop loop;
    struct offload *o = offload_new(1, 100);
    assert_true(loop_init(&loop, NULL));
    struct offload_job *j = asked_by(&loop);
    j->run = run_at_once;
    dropped = 0;
    assert_true(offload_post(o, j));
    offload_end(o);
    offload_free(o);
    o = offload_new(1, 1);
    assert_false(offload_cancel(o, j));
    loop_turn(&loop, 0);
    assert_int_equal(atomic_load(&dropped), 1);
    assert_int_equal(atomic_load(&finished), 0);
    offload_end(o);
    offload_free(o);
    loop_free(&loop);
}

/* Without a loop `done` is the last touch: the job may be posted again there. */
static _Atomic int rounds;
static struct offload *round_threads;

static void once_more(struct offload_job *j)
{
    if (atomic_fetch_add(&rounds, 1) < 99)
        assert_true(offload_post(round_threads, j));
}

static void test_posted_again_at_its_end(void **state)
{
    (void)state;
    struct offload_job j = { .run = run_at_once, .done = once_more };
    round_threads = offload_new(2, 2);
    assert_true(offload_post(round_threads, &j));
    for (int i = 0; i < 5000 && atomic_load(&rounds) < 100; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&rounds), 100);
    offload_end(round_threads);
    offload_free(round_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_elsewhere_and_comes_back),
        cmocka_unit_test(test_refuses_beyond_its_queue),
        cmocka_unit_test(test_tells_whether_it_has_ended),
        cmocka_unit_test(test_short_before_long_but_not_for_ever),
        cmocka_unit_test(test_one_thread_is_kept_for_short_ones),
        cmocka_unit_test(test_cancelled_before_and_while_it_runs),
        cmocka_unit_test(test_cancelled_on_its_way_back),
        cmocka_unit_test(test_posted_again_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
