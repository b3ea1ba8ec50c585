/* What leads back to a listener of ours, in every spelling that dialling knows. */
#include "core/common/self_addrs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct row {
    const char *listening;
    bool both;
    const char *dialled;
    bool own;
};

static const struct row rows[] = {
    { "127.0.0.1:3128", false, "127.0.0.1:3128", true },
    { "127.0.0.1:3128", false, "127.0.0.1:3129", false },
    { "127.0.0.1:3128", false, "127.0.0.2:3128", false },
    { "127.0.0.1:3128", false, "[::1]:3128", false },
    { "127.0.0.1:3128", false, "0.0.0.0:3128", true }, /* the kernel takes it for this machine */
    { "192.0.2.7:3128", false, "0.0.0.0:3128", true },
    { "[::1]:3128", false, "[::1]:3128", true },
    { "[::1]:3128", false, "[::]:3128", true },
    { "[::1]:3128", false, "127.0.0.1:3128", false },
    { "0.0.0.0:80", false, "127.0.0.1:80", true },
    { "0.0.0.0:80", false, "127.9.9.9:80", true },
    { "0.0.0.0:80", false, "198.51.100.1:80", false }, /* nobody's */
    { "0.0.0.0:80", false, "127.0.0.1:81", false },
    { "0.0.0.0:80", false, "[::1]:80", false },
    { "[::]:80", false, "127.0.0.1:80", false },
    { "[::]:80", false, "[::1]:80", true },
    { "[::]:80", true, "127.0.0.1:80", true },
    { "[::]:80", true, "[::1]:80", true },
    { "[::]:80", true, "0.0.0.0:80", true },
    { "[::]:80", true, "198.51.100.1:80", false },
};

static struct addr at(const char *text)
{
    struct addr a;
    assert_true(addr_parse_port(slice_of(text), &a));
    return a;
}

static void every_spelling(void **state)
{
    (void)state;
    for (unsigned i = 0; i < countof(rows); i++) {
        struct self_addrs *o = self_addrs_new();
        struct addr listening = at(rows[i].listening), dialled = at(rows[i].dialled);
        self_addrs_add(o, &listening, rows[i].both);
        if (self_addrs_has(o, &dialled) != rows[i].own)
            fail_msg("%s while listening on %s", rows[i].dialled, rows[i].listening);
        self_addrs_free(o);
    }
}

static void several_and_none(void **state)
{
    (void)state;
    struct self_addrs *o = self_addrs_new();
    struct addr a = at("127.0.0.1:80"), b = at("127.0.0.1:81");
    assert_false(self_addrs_has(o, &a));
    self_addrs_add(o, &a, false);
    self_addrs_add(o, &b, false);
    assert_true(self_addrs_has(o, &a) && self_addrs_has(o, &b));
    a.scope = 3; /* nothing that counts here */
    assert_true(self_addrs_has(o, &a));
    self_addrs_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling),
        cmocka_unit_test(several_and_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
