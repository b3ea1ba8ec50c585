/* Who is no worker holds the newest configuration while another one takes its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/stat.h"
#include "core/common/listen_counts.h"
#include "core/common/snapshot.h"

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
        cmocka_unit_test(sums_are_over_all_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
