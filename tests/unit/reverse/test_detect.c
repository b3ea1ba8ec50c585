/* The first bytes of a client of a reverse listener. */
#include "reverse/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void first_bytes(void **state)
{
    (void)state;
    static const struct {
        struct slice said;
        enum fault fault;
    } rows[] = {
        { SLICE("G"), FAULT_NONE },
        { SLICE("\x16"), FAULT_tls_to_plain_port },
        { SLICE("\x16\x03\x01\x02\x00"), FAULT_tls_to_plain_port },
        { SLICE("\0\0\0"), FAULT_not_http },
        { SLICE(" GET"), FAULT_not_http },
    };
    for (unsigned i = 0; i < countof(rows); i++)
        if (reverse_detect(NULL, rows[i].said) != rows[i].fault)
            fail_msg("row %u", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(first_bytes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
