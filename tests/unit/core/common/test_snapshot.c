/* Who is no worker holds the newest configuration while another one takes its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdlib.h>

#include "base/stat.h"
#include "core/common/listen_counts.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"
#include "core/worker.h"
#include "io/offload.h"

static void the_newest_stays_for_who_holds_it(void **state)
{
    (void)state;
    static struct engine engine;
    struct snapshot *first = snapshot_new(1), *second = snapshot_new(1);
    assert_null(snapshot_hold_newest(&engine));
    assert_null(snapshot_replace_newest(&engine, first));
    assert_ptr_equal(snapshot_hold_newest(&engine), first);
    assert_ptr_equal(snapshot_replace_newest(&engine, second), first);
    snapshot_let_go(&engine, first); /* the engine's */
    assert_int_equal(atomic_load(&first->holders), 1);
    assert_true(first->made_us > 0);
    snapshot_let_go(&engine, first);
    snapshot_retire(&engine);
}

static _Atomic bool goes_on, has_read, had_read;

static void wait_to_go_on(struct offload_job *job)
{
    (void)job;
    while (!atomic_load(&goes_on))
        sched_yield();
}

static void read_something(struct offload_job *job)
{
    (void)job;
    atomic_store(&has_read, true);
}

static void end_what_waits_for_reads(void *entry)
{
    (void)entry;
    atomic_store(&had_read, atomic_load(&has_read));
}

/* What ends with a configuration may wait for jobs of its own (a cache for reads of its disk): they
 * come first, though another configuration was to be freed before. */
static void freed_behind_its_own_jobs(void **state)
{
    (void)state;
    static const struct registry_kind kind = { .name = "x", .end = end_what_waits_for_reads };
    static struct engine engine;
    struct offload_job first = { .kind = JOB_list_load, .run = wait_to_go_on };
    struct offload_job its_own = { .kind = JOB_cache_read, .run = read_something };
    struct registry *r = registry_new();
    struct snapshot *before = snapshot_new(1), *s = snapshot_new(1);
    registry_get(r, s, &kind, SLICE("one"));
    engine.offload = offload_new(1, 16);
    assert_true(offload_post(engine.offload, &first));
    snapshot_let_go(&engine, before);
    assert_true(offload_post(engine.offload, &its_own));
    snapshot_let_go(&engine, s);
    atomic_store(&goes_on, true);
    while (registry_count(r, &kind) || offload_account(JOB_configuration_free).running)
        sched_yield();
    offload_end(engine.offload);
    offload_free(engine.offload);
    assert_true(atomic_load(&had_read));
    snapshot_retire(&engine);
    registry_free(r);
}

/* A connection is closed by whoever has it, so one worker alone may be below nothing. */
static void sums_are_over_all_workers(void **state)
{
    (void)state;
    struct listen_addr at = { .counts = listen_counts_new(2) };
    struct listen_sums sums = { 0 };
    counter_add(&at.counts[0].open, (u64)0 - 1);
    counter_add(&at.counts[1].open, 3);
    for (unsigned c = 0; c < CACHED_COUNT; c++)
        counter_add(&at.counts[c & 1].cached[c], 1);
    counter_add(&at.counts[0].requests, CACHED_COUNT);
    counter_add(&at.counts[1].saved, 100);
    listen_sums_add(&sums, &at, 2);
    assert_int_equal(sums.open, 2);
    assert_int_equal(sums.requests, CACHED_COUNT);
    assert_int_equal(sums.saved, 100);
    assert_int_equal(listen_sums_asked(&sums), CACHED_COUNT - 1);
    assert_int_equal(listen_sums_hits(&sums), 5);
    listen_sums_add(&sums, &(struct listen_addr){ .counts = NULL }, 2);
    assert_int_equal(sums.open, 2);
    free(at.counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_stays_for_who_holds_it),
        cmocka_unit_test(freed_behind_its_own_jobs),
        cmocka_unit_test(sums_are_over_all_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
