/* Who tries for a slice again: what becomes of the flight of a fetch that has failed. */
#include "cache/block_fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cache_key key = { { 1, 2 } };
static struct flights *flights;

static int set_up(void **state)
{
    (void)state;
    flights = aligned_alloc(CACHE_LINE, sizeof *flights);
    memset(flights, 0, sizeof *flights);
    flights_init(flights);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    flights_end(flights);
    free(flights);
    return 0;
}

/* Its exchange has been closed while there was a reader, and has not been told to be over. */
static void a_reader_that_leaves_a_broken_one_lands_its_flight(void **state)
{
    (void)state;
    struct block_fetch f = { .flights = flights, .state = FETCH_BROKEN }, *left = &f;
    struct flight *next = NULL;
    assert_true(flight_start(flights, &key, 1, &f.flight));
    block_fetch_leave(&left);
    assert_null(left);
    assert_null(f.flight);
    assert_true(flight_start(flights, &key, 1, &next));
    flight_land(flights, &next, WAKE_AGAIN);
}

/* It goes on for those who wait for it. */
static void a_reader_that_leaves_one_that_asks_leaves_it_the_flight(void **state)
{
    (void)state;
    struct block_fetch f = { .flights = flights, .state = FETCH_ASKS }, *left = &f;
    assert_true(flight_start(flights, &key, 1, &f.flight));
    block_fetch_leave(&left);
    assert_non_null(f.flight);
    flight_land(flights, &f.flight, WAKE_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_that_leaves_a_broken_one_lands_its_flight, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_leaves_one_that_asks_leaves_it_the_flight,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
