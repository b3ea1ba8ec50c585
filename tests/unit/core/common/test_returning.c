/* What the proxy has dialled is known again by both of its ends, and by nothing else. */
#include "core/common/returning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct addr of(const char *text)
{
    struct addr a;
    assert_true(addr_parse_port(slice_of(text), &a));
    return a;
}

static void by_both_ends(void **state)
{
    (void)state;
    struct addr own = of("10.0.0.1:40000"), to = of("192.0.1.1:443"), other = of("10.0.0.1:40001"),
                elsewhere = of("192.0.1.1:80"), six = of("[2a00::1]:40000"),
                to_six = of("[2a00::2]:443");
    assert_false(returning_is(&own, &to));
    returning_note(&own, &to);
    assert_true(returning_is(&own, &to));
    assert_false(returning_is(&other, &to));
    assert_false(returning_is(&own, &elsewhere));
    assert_false(returning_is(&to, &own));
    returning_note(&six, &to_six);
    assert_true(returning_is(&six, &to_six) && !returning_is(&six, &to));
    returning_forget(&six, &to);
    assert_true(returning_is(&six, &to_six));
    returning_forget(&six, &to_six);
    assert_false(returning_is(&six, &to_six));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(by_both_ends) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
