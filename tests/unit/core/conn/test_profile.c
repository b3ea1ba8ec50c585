/* Equal content is one pointer, whoever asks and however often. */
#include "core/conn/profile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/conn/dial.h"

static const struct connector one = { .name = "one" }, two = { .name = "two" };
static const struct connector *const none[] = { NULL }, *const of_one[] = { &one, NULL },
                                     *const of_one_again[] = { &one, NULL },
                                     *const of_both[] = { &one, &two, NULL };

static void plain_is_nothing(void **state)
{
    (void)state;
    const struct conn_profile *plain = profile_intern(&(struct conn_profile){ .id = 77 });
    assert_int_equal(plain->id, 0);
    assert_ptr_equal(plain, profile_intern(&(struct conn_profile){ .chain = none }));
}

static void by_content(void **state)
{
    (void)state;
    struct conn_profile p[] = { { .id = 0 },
                                { .scheme = SCHEME_HTTPS },
                                { .chain = of_one },
                                { .chain = of_both },
                                { .tls = (const void *)&one },
                                { .parent = (const void *)&one },
                                { .source = { .family = AF_INET, .ip = { 127, 0, 0, 5 } } },
                                { .source = { .family = AF_INET } } };
    const struct conn_profile *got[countof(p)];
    for (unsigned i = 0; i < countof(p); i++) {
        got[i] = profile_intern(&p[i]);
        assert_ptr_equal(profile_intern(&p[i]), got[i]);
        for (unsigned k = 0; k < i; k++) {
            assert_ptr_not_equal(got[i], got[k]);
            assert_true(got[i]->id != got[k]->id);
        }
    }
    p[2].chain = of_one_again;
    assert_ptr_equal(profile_intern(&p[2]), got[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_is_nothing),
        cmocka_unit_test(by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
