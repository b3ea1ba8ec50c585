/* Ports: ranges in any order, merged; any; none. */
#include "filters/portset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void ranges(void **state)
{
    const struct port_range list[] = { { 8000, 8999 }, { 443, 443 },   { 80, 80 },
                                       { 8500, 9000 }, { 9001, 9001 }, { 1, 1 } };
    struct arena a;
    struct portset s;
    (void)state;
    arena_init(&a, 0);
    portset_build(&s, &a, list, countof(list));
    assert_int_equal(s.n, 4);
    for (unsigned port = 0; port <= 65535; port++) {
        bool want = port == 1 || port == 80 || port == 443 || (port >= 8000 && port <= 9001);
        assert_int_equal(portset_has(&s, (u16)port), want);
    }
    arena_free(&a);
}

static void any_and_none(void **state)
{
    struct arena a;
    struct portset any, none, ends;
    const struct port_range both_ends[] = { { 65535, 65535 }, { 0, 0 } };
    (void)state;
    arena_init(&a, 0);
    portset_any(&any, &a);
    portset_build(&none, &a, NULL, 0);
    portset_build(&ends, &a, both_ends, 2);
    for (unsigned port = 0; port <= 65535; port++) {
        assert_true(portset_has(&any, (u16)port));
        assert_false(portset_has(&none, (u16)port));
        assert_int_equal(portset_has(&ends, (u16)port), port == 0 || port == 65535);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(any_and_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
