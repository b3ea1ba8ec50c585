/* SipHash-1-3 against known values, and the keys. */
#include "base/hash.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Key 00 01 … 0f and inputs 00 01 …; the empty one is in several published test suites. */
static void known_values(void **state)
{
    struct hash_key k = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
    (void)state;
    assert_true(hash64(&k, NULL, 0) == 0xabac0158050fc4dc);

    /* A zero key, as the string hash of CPython 3.11 with PYTHONHASHSEED=0. */
    struct hash_key zero = { { 0, 0 } };
    assert_true(hash64(&zero, "a", 1) == (u64)4644417185603328019);
    assert_true(hash64(&zero, "abcdefg", 7) == (u64)7904145750247929094);
    assert_true(hash64(&zero, "abcdefgh", 8) == (u64)4574395652268504554);
    assert_true(hash64(&zero, "abcdefghi", 9) == (u64)-532774252720507163);
    assert_true(hash64(&zero, "hello world, this is longer", 27) == (u64)-3483295518001240135);
}

static void alignment_does_not_matter(void **state)
{
    char area[80];
    struct hash_key k = { { 1, 2 } };
    (void)state;
    for (size_t n = 0; n <= 40; n++) {
        u64 first = 0;
        for (size_t at = 0; at < 8; at++) {
            memset(area, (int)at, sizeof area);
            for (size_t i = 0; i < n; i++)
                area[at + i] = (char)(i * 7);
            u64 h = hash64(&k, area + at, n);
            if (at == 0)
                first = h;
            assert_true(h == first);
        }
    }
}

static void keys_and_lengths_matter(void **state)
{
    struct hash_key a, b;
    char zeros[16] = { 0 };
    (void)state;
    hash_key_random(&a);
    hash_key_random(&b);
    assert_false(a.k[0] == b.k[0] && a.k[1] == b.k[1]);
    assert_true(hash64(&a, "x", 1) != hash64(&b, "x", 1));
    for (size_t n = 0; n < sizeof zeros; n++)
        assert_true(hash64(&a, zeros, n) != hash64(&a, zeros, n + 1));
}

/* SipHash-1-3-128; the values are those of another implementation, which has the published ones of
 * SipHash-2-4-128. */
static void wide_values(void **state)
{
    (void)state;
    const struct hash_key k = { { 1, 2 } };
    u64 out[2];
    hash128(&k, "0123456789", 10, out);
    assert_true(out[0] == 0xfbcacb8048d949ce && out[1] == 0x9ac444d880557e7f);
}

static void *process_key(void *arg)
{
    (void)arg;
    return (void *)(uintptr_t)hash_process_key()->k[0];
}

static void one_key_per_process(void **state)
{
    pthread_t t[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, process_key, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *k;
        assert_int_equal(pthread_join(t[i], &k), 0);
        assert_true((uintptr_t)k == (uintptr_t)hash_process_key()->k[0]);
    }
    assert_true(hash_process_key()->k[0] | hash_process_key()->k[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(wide_values),
        cmocka_unit_test(alignment_does_not_matter),
        cmocka_unit_test(keys_and_lengths_matter),
        cmocka_unit_test(one_key_per_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
