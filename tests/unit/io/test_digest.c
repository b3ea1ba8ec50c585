/* SHA-256, in pieces: the vectors of FIPS 180-4. */
#include "io/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void known_sums(void **state)
{
    (void)state;
    char sum[DIGEST_TEXT];
    digest_end(digest_new(), sum);
    assert_string_equal(sum, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct digest *d = digest_new();
    digest_add(d, SLICE("a"));
    digest_add(d, SLICE(""));
    digest_add(d, SLICE("bc"));
    digest_end(d, sum);
    assert_string_equal(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known_sums) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
