/* Sets of networks against the networks themselves, walked and searched. */
#include "filters/cidrset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct cidr net(const char *text)
{
    struct cidr c;
    bool host_bits;
    assert_true(cidr_parse(slice_of(text), &c, &host_bits));
    return c;
}

static struct addr ip(const char *text)
{
    struct addr a;
    assert_true(addr_parse(slice_of(text), &a));
    return a;
}

static bool has(const struct cidrset *s, const char *text)
{
    struct addr a = ip(text);
    return cidrset_has(s, &a);
}

static void both_families(void **state)
{
    struct arena a;
    struct cidrset s;
    const struct cidr list[] = { net("10.0.0.0/8"), net("fc00::/7"), net("192.0.2.1"), net("::1") };
    (void)state;
    arena_init(&a, 0);
    cidrset_build(&s, &a, list, countof(list));
    assert_true(has(&s, "10.0.0.0"));
    assert_true(has(&s, "10.255.255.255"));
    assert_false(has(&s, "9.255.255.255"));
    assert_false(has(&s, "11.0.0.0"));
    assert_true(has(&s, "192.0.2.1"));
    assert_false(has(&s, "192.0.2.0"));
    assert_false(has(&s, "192.0.2.2"));
    assert_true(has(&s, "::1"));
    assert_false(has(&s, "::"));
    assert_false(has(&s, "::2"));
    assert_true(has(&s, "fc00::"));
    assert_true(has(&s, "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    assert_false(has(&s, "fe00::"));
    assert_true(has(&s, "::ffff:10.1.1.1"));
    assert_false(has(&s, "::10.1.1.1"));
    assert_false(cidrset_has(&s, &(struct addr){ 0 }));
    arena_free(&a);
}

static bool meets(const struct cidrset *s, const char *text)
{
    struct cidr c = net(text);
    return cidrset_meets(s, &c);
}

static void networks_that_meet(void **state)
{
    struct arena a;
    struct cidrset s;
    const struct cidr list[] = { net("10.0.0.0/8"), net("192.0.2.1"), net("fc00::/7") };
    (void)state;
    arena_init(&a, 0);
    cidrset_build(&s, &a, list, countof(list));
    assert_true(meets(&s, "10.1.2.0/24"));
    assert_true(meets(&s, "10.255.255.255"));
    assert_true(meets(&s, "8.0.0.0/6"));
    assert_true(meets(&s, "0.0.0.0/0"));
    assert_true(meets(&s, "192.0.2.0/31"));
    assert_false(meets(&s, "192.0.2.2/31"));
    assert_false(meets(&s, "11.0.0.0/8"));
    assert_true(meets(&s, "::/0"));
    assert_true(meets(&s, "fd00::1"));
    assert_false(meets(&s, "fe00::/8"));
    arena_free(&a);
}

static void everything_and_nothing(void **state)
{
    struct arena a;
    struct cidrset s;
    (void)state;
    arena_init(&a, 0);
    cidrset_build(&s, &a, NULL, 0);
    assert_false(has(&s, "0.0.0.0"));
    assert_false(has(&s, "::"));
    const struct cidr all[] = { net("0.0.0.0/0"), net("255.255.255.255"), net("::/0"),
                                net("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") };
    cidrset_build(&s, &a, all, countof(all));
    assert_int_equal(s.n4, 1);
    assert_int_equal(s.n6, 1);
    assert_true(has(&s, "0.0.0.0"));
    assert_true(has(&s, "255.255.255.255"));
    assert_true(has(&s, "::"));
    assert_true(has(&s, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    const struct cidr four[] = { net("0.0.0.0/0") };
    cidrset_build(&s, &a, four, 1);
    assert_false(has(&s, "::1"));
    arena_free(&a);
}

static void overlaps_are_merged(void **state)
{
    struct arena a;
    struct cidrset s;
    const struct cidr list[] = { net("10.1.0.0/16"), net("10.0.0.0/8"), net("11.0.0.0/8"),
                                 net("10.2.3.4"),    net("13.0.0.0/8"), net("10.0.0.0/8") };
    (void)state;
    arena_init(&a, 0);
    cidrset_build(&s, &a, list, countof(list));
    assert_int_equal(s.n4, 2); /* 10.0.0.0–11.255.255.255 and 13/8 */
    assert_true(has(&s, "10.200.0.0"));
    assert_true(has(&s, "11.255.255.255"));
    assert_false(has(&s, "12.0.0.0"));
    assert_true(has(&s, "13.0.0.0"));
    assert_false(has(&s, "14.0.0.0"));
    arena_free(&a);
}

static u64 seed = 42;
static u32 random32(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (u32)(seed >> 32);
}

/* Any number of networks says the same as asking one after the other. */
static void same_as_one_by_one(void **state)
{
    static const size_t sizes[] = { 1, 2, 7, 8, 9, 10, 100, 1000 };
    (void)state;
    for (size_t k = 0; k < countof(sizes); k++) {
        struct arena a;
        struct cidrset s;
        struct cidr list[1000];
        arena_init(&a, 0);
        for (size_t i = 0; i < sizes[k]; i++) {
            bool six = random32() & 1, host_bits;
            char area[ADDR_TEXT];
            struct text t = text_in(area, sizeof area);
            struct addr x = { .family = six ? AF_INET6 : AF_INET };
            for (unsigned b = 0; b < (six ? 16 : 4); b++)
                x.ip[b] = b < 2 ? 0x20 : (u8)random32();
            addr_text(&t, &x);
            text_char(&t, '/');
            text_u64(&t, six ? 16 + random32() % 113 : 8 + random32() % 25);
            assert_true(cidr_parse(text_slice(&t), &list[i], &host_bits));
        }
        cidrset_build(&s, &a, list, sizes[k]);
        for (unsigned probe = 0; probe < 5000; probe++) {
            struct addr x = list[random32() % sizes[k]].base;
            unsigned at = random32() % (x.family == AF_INET ? 4 : 16);
            x.ip[at] = (u8)(x.ip[at] + random32() % 3 - 1);
            bool any = false;
            for (size_t i = 0; i < sizes[k]; i++)
                any = any || cidr_has(&list[i], &x);
            assert_int_equal(cidrset_has(&s, &x), any);
        }
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families),          cmocka_unit_test(networks_that_meet),
        cmocka_unit_test(everything_and_nothing), cmocka_unit_test(overlaps_are_merged),
        cmocka_unit_test(same_as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
