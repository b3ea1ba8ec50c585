/* The shortest idle life seen lately, for each target, and who may take what rested how long. */
#include "core/conn/idle_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WINDOW = IDLE_LIFE_WINDOW_MS };
static const u64 HASH = 0x1234567890abcdef;
static struct idle_lives lives;

static int set_up(void **state)
{
    (void)state;
    lives = (struct idle_lives){ 0 };
    return 0;
}

static void the_shortest_one_counts(void **state)
{
    (void)state;
    assert_int_equal(idle_life_shortest(&lives, HASH, 0), IDLE_LIFE_UNKNOWN);
    idle_life_note(&lives, HASH, 5000, 10);
    idle_life_note(&lives, HASH, 4000, 20);
    idle_life_note(&lives, HASH, 6000, 30);
    assert_int_equal(idle_life_shortest(&lives, HASH, 40), 4000);
    idle_life_note(&lives, HASH, 0, 40);
    assert_int_equal(idle_life_shortest(&lives, HASH, 40), 0);
}

/* What was short once and is so no more is forgotten, also while longer ones are seen all the
 * time. */
static void lately(void **state)
{
    (void)state;
    u64 at = 70000ull * WINDOW; /* the window's number has begun anew */
    idle_life_note(&lives, HASH, 3, at);
    assert_int_equal(idle_life_shortest(&lives, HASH, at + 2 * WINDOW - 1), 3);
    assert_int_equal(idle_life_shortest(&lives, HASH, at + 2 * WINDOW), IDLE_LIFE_UNKNOWN);
    for (u64 t = at; t <= at + 2 * WINDOW; t += WINDOW / 4)
        idle_life_note(&lives, HASH, 5000, t);
    assert_int_equal(idle_life_shortest(&lives, HASH, at + 2 * WINDOW), 5000);
    assert_int_equal(idle_life_shortest(&lives, HASH, at + 10 * WINDOW), IDLE_LIFE_UNKNOWN);
}

/* Two targets in one entry: the one noted last is known, and neither is taken for the other. */
static void each_target_for_itself(void **state)
{
    (void)state;
    u64 other = HASH + 1, same_entry = HASH ^ 1ull << 60;
    idle_life_note(&lives, HASH, 100, 0);
    assert_int_equal(idle_life_shortest(&lives, other, 0), IDLE_LIFE_UNKNOWN);
    assert_int_equal(idle_life_shortest(&lives, same_entry, 0), IDLE_LIFE_UNKNOWN);
    idle_life_note(&lives, same_entry, 200, 0);
    assert_int_equal(idle_life_shortest(&lives, same_entry, 0), 200);
    assert_int_equal(idle_life_shortest(&lives, HASH, 0), IDLE_LIFE_UNKNOWN);
}

/* Clearly younger: by a quarter of it, and by half a second at least. */
static void what_is_safe(void **state)
{
    (void)state;
    static const struct {
        u64 life;
        u32 safe;
    } rows[] = { { 60000, 45000 }, { 5000, 3750 }, { 2000, 1500 }, { 1000, 500 },
                 { 501, 1 },       { 500, 0 },     { 5, 0 },       { 0, 0 } };
    assert_int_equal(idle_life_safe(&lives, HASH, 0), UINT32_MAX);
    for (unsigned i = 0; i < countof(rows); i++) {
        lives = (struct idle_lives){ 0 };
        idle_life_note(&lives, HASH, rows[i].life, 0);
        assert_int_equal(idle_life_safe(&lives, HASH, 0), rows[i].safe);
    }
    idle_life_note(&lives, HASH + 1, 1000000, 0); /* longer than can be noted */
    assert_int_equal(idle_life_safe(&lives, HASH + 1, 0), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_shortest_one_counts, set_up),
        cmocka_unit_test_setup(lately, set_up),
        cmocka_unit_test_setup(each_target_for_itself, set_up),
        cmocka_unit_test_setup(what_is_safe, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
