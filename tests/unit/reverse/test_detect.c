/* The first bytes of a client of a reverse listener. */
#include "reverse/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/help_detect.h"

static void the_first_bytes(void **state)
{
    (void)state;
    detect_check(reverse_detect);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_first_bytes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
