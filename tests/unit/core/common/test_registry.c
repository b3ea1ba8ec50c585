/* What outlives a configuration: found again by kind and name, gone with its last user. */
#include "core/common/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

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
    snapshot_free(s);
    s = snapshot_new(1);
    assert_ptr_equal(registry_get(r, s, &kept, SLICE("a")), first);
    assert_int_equal(*(u32 *)registry_get(r, s, &kept, SLICE("c")), 102);
    snapshot_free(s);
    registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_again),
        cmocka_unit_test(kept_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
