#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_elsewhere_and_comes_back),
        cmocka_unit_test(test_refuses_beyond_its_queue),
        cmocka_unit_test(test_tells_whether_it_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
