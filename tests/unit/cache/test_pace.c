/* A wait for room ends with the room that it was for. */
#include "cache/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Its time was up when there was room already: those who read get all of the next wait. */
static void who_has_found_room_is_not_late(void **state)
{
    (void)state;
    static struct notes n;
    static struct xchg x = { .copy_late = true, .stored = &n };
    pace_found(&x);
    assert_false(x.copy_late);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(who_has_found_room_is_not_late) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
