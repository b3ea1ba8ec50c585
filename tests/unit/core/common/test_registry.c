/* What outlives a configuration: found again by kind and name, gone with its last user. */
#include "core/common/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/common/snapshot.h"

static void number(void *entry, u32 n)
{
    *(u32 *)entry = n + 100;
}

static const struct registry_kind turns = { .name = "turn", .size = sizeof(u32) };
static const struct registry_kind kept = {
    .name = "kept", .size = sizeof(u32), .kept = true, .init = number
};

static void found_again(void **state)
{
    (void)state;
    struct registry *r = registry_new();
    struct snapshot *a = snapshot_new(1), *b = snapshot_new(1);
    u32 *one = registry_get(r, a, &turns, SLICE("one"));
    assert_int_equal(*one, 0);
    *one = 7;
    assert_ptr_equal(registry_get(r, a, &turns, SLICE("one")), one);
    assert_ptr_not_equal(registry_get(r, a, &turns, SLICE("two")), one);
    assert_ptr_not_equal(registry_get(r, a, &kept, SLICE("one")), one);
    assert_ptr_equal(registry_get(r, b, &turns, SLICE("one")), one);
    snapshot_free(a);
    assert_int_equal(*one, 7);
    assert_int_equal(registry_count(r, &turns), 1); /* the other one had no user but a */
    snapshot_free(b);
    assert_int_equal(registry_count(r, &turns), 0);
    registry_free(r);
}

static void kept_for_ever(void **state)
{
    (void)state;
    struct registry *r = registry_new();
    struct snapshot *s = snapshot_new(1);
    u32 *first = registry_get(r, s, &kept, SLICE("a")),
        *second = registry_get(r, s, &kept, SLICE("b"));
    assert_int_equal(*first, 100);
    assert_int_equal(*second, 101);
    assert_int_equal(registry_count(r, &kept), 2);
    snapshot_free(s);
    assert_int_equal(registry_count(r, &kept), 0); /* nobody is shown what no configuration names */
    s = snapshot_new(1);
    assert_ptr_equal(registry_get(r, s, &kept, SLICE("a")), first);
    assert_int_equal(*(u32 *)registry_get(r, s, &kept, SLICE("c")), 102);
    snapshot_free(s);
    registry_free(r);
}

static void look_at_name(const char *name, const void *entry, void *found)
{
    (void)entry;
    *(bool *)found = strcmp(name, "abc") == 0;
}

/* In memory that something else was in before. */
static void names_end(void **state)
{
    (void)state;
    struct registry *r = registry_new();
    struct snapshot *s = snapshot_new(1);
    bool found = false;
    char *used = malloc(24);
    memset(used, 'x', 24);
    __asm__ volatile("" : : "r"(used) : "memory"); /* else nobody would write what is freed */
    free(used);
    registry_get(r, s, &turns, SLICE("abc"));
    registry_each(r, &turns, look_at_name, &found);
    assert_true(found);
    snapshot_free(s);
    registry_free(r);
}

/* As many as a large policy has rules: in a time that grows with them, not with their square. */
static void very_many(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct registry *r = registry_new();
    struct snapshot *a = snapshot_new(1), *b = snapshot_new(1);
    u64 began = clock_us(CLOCK_MONOTONIC);
    char area[32];
    for (u32 i = 0; i < 2 * MANY; i++) {
        struct text name = text_in(area, sizeof area);
        text_u64(&name, i % MANY);
        u32 *n = registry_get(r, i < MANY ? a : b, &turns, text_slice(&name));
        assert_int_equal(*n, i < MANY ? 0 : i % MANY);
        *n = i % MANY;
    }
    snapshot_free(a);
    assert_int_equal(registry_count(r, &turns), MANY);
    snapshot_free(b);
    assert_int_equal(registry_count(r, &turns), 0);
    assert_true(clock_us(CLOCK_MONOTONIC) - began < 10000000); /* 0.05 s; a list took 40 */
    registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_again),
        cmocka_unit_test(kept_for_ever),
        cmocka_unit_test(names_end),
        cmocka_unit_test(very_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
