/* Keys: which spellings are one URL, and that nothing else is. */
#include "cache/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/str.h"

static const struct cache_secret secret = { { { 1, 2 } } };

/* "space scheme host port path" */
static struct cache_url url_of(const char *words)
{
    struct slice rest = slice_of(words), w[5];
    u64 port;
    for (unsigned i = 0; i < 5; i++)
        assert_true(slice_cut(&rest, ' ', &w[i]));
    assert_true(slice_u64(w[3], &port));
    return (struct cache_url){ w[0], w[1], w[2], (u16)port, w[4] };
}

static void compare(const char *a, const char *b, bool same)
{
    struct cache_key ka, kb;
    char ta[500], tb[500];
    struct text wa = text_in(ta, sizeof ta), wb = text_in(tb, sizeof tb);
    struct cache_url ua = url_of(a), ub = url_of(b);
    cache_key_of(&secret, &ua, &ka);
    cache_key_of(&secret, &ub, &kb);
    cache_url_write(&wa, &ua);
    cache_url_write(&wb, &ub);
    bool same_text = slice_eq(ua.space, ub.space) && slice_eq(text_slice(&wa), text_slice(&wb));
    if (cache_key_same(&ka, &kb) != same || same_text != same)
        fail_msg("%s | %s: %d, written %d", a, b, cache_key_same(&ka, &kb), same_text);
}

static void spellings(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        { "f http a 80 /", "f http a 80 /", true },
        { "f http a 80 /", "f http a 0 ", true },
        { "f https a 443 /", "f https a 0 /", true },
        { "f http a 0 /%7Eb", "f http a 0 /~b", true },
        { "f http a 0 /%c3%a4", "f http a 0 /%C3%A4", true },
        { "f http a 0 /?%41", "f http a 0 /?A", true },
        /* what is not the same */
        { "f http a 80 /", "r http a 80 /", false },
        { "r/one http a 80 /", "r/two http a 80 /", false },
        { "f http a 80 /", "f https a 80 /", false },
        { "f http a 443 /", "f https a 443 /", false },
        { "f http a 80 /", "f http b 80 /", false },
        { "f http a 80 /", "f http a 81 /", false },
        { "f http a 80 /a", "f http a 80 /A", false },
        { "f http a 80 /a", "f http a 80 /a/", false },
        { "f http a 80 /a", "f http a 80 /a?", false },
        { "f http a 80 /a//b", "f http a 80 /a/b", false },
        { "f http a 80 /a/../b", "f http a 80 /b", false },
        { "f http a 80 /a/./b", "f http a 80 /a/b", false },
        { "f http a 80 /a%2fb", "f http a 80 /a/b", false },
        { "f http a 80 /a%3fb", "f http a 80 /a?b", false },
        { "f http a 80 /%25", "f http a 80 /%", false },
        { "f http a 80 /%2541", "f http a 80 /%41", false },
        { "f http a 80 /?a=1&b=2", "f http a 80 /?b=2&a=1", false },
        { "f http a 80 /%4", "f http a 80 /%04", false },
        { "f http ab 80 /", "fh ttp ab 80 /", false },
        { "f http a 80 /x", "f http a/x 80 /", false },
    };
    for (size_t i = 0; i < countof(rows); i++)
        compare(rows[i].a, rows[i].b, rows[i].same);
}

static void written(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "f http a.b 80 /x?y", "http://a.b/x?y" },
        { "f https a 80 ", "https://a:80/" },
        { "f http ::1 8080 /%2f%61", "http://[::1]:8080/%2Fa" },
        { "f http a 0 /%zz%", "http://a/%zz%" },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char area[200];
        struct text t = text_in(area, sizeof area);
        struct cache_url u = url_of(rows[i][0]);
        cache_url_write(&t, &u);
        assert_true(slice_is(text_slice(&t), rows[i][1]));
    }
}

/* They are on disk: the same in ten years. */
static void lasting(void **state)
{
    (void)state;
    struct cache_key k;
    struct cache_url u = url_of("forward http example.org 0 /a/b?c");
    static const struct cache_secret other = { { { 1, 3 } } };
    cache_key_of(&secret, &u, &k);
    assert_true(k.bits[0] == 0xe0c847ee6923a7e0u && k.bits[1] == 0xc718b8f1a9f5b3f6u);
    struct cache_key again = k;
    cache_key_of(&other, &u, &k);
    assert_false(cache_key_same(&k, &again));
}

/* However it is cut in pieces, and over the edges of the blocks. */
static void pieces(void **state)
{
    (void)state;
    char text[1000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7);
    for (size_t n = 0; n < sizeof text; n += 37)
        for (size_t cut = 0; cut <= n; cut += 11) {
            struct mix a, b;
            u64 x[2], y[2];
            mix_begin(&a, &secret);
            mix_bytes(&a, text, n);
            mix_end(&a, x);
            mix_begin(&b, &secret);
            mix_bytes(&b, text, cut);
            mix_bytes(&b, text + cut, n - cut);
            mix_end(&b, y);
            assert_memory_equal(x, y, sizeof x);
            mix_begin(&b, &secret);
            mix_bytes(&b, text, n);
            mix_bytes(&b, "", 1);
            mix_end(&b, y);
            assert_memory_not_equal(x, y, sizeof x);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(written),
        cmocka_unit_test(lasting),
        cmocka_unit_test(pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
