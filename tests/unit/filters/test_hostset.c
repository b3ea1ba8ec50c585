/* What a set of hosts covers, at one entry and at a hundred thousand. */
#include "filters/hostset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static u32 find(const struct hostset *s, const char *host)
{
    struct host_prints prints;
    host_prints(&prints, slice_of(host));
    return hostset_find(s, &prints);
}

static void patterns(void **state)
{
    static const struct {
        const char *in, *host;
        enum host_kind kind;
    } rows[] = {
        { "example.com", "example.com", HOST_ITSELF },
        { "*.example.com", "example.com", HOST_BELOW },
        { ".example.com", "example.com", HOST_BOTH },
        { "com", "com", HOST_ITSELF },
        { "*.com", "com", HOST_BELOW },
        { "", NULL, 0 },
        { ".", NULL, 0 },
        { "*.", NULL, 0 },
        { "..a", NULL, 0 },
        { "a..b", NULL, 0 },
        { "a.", NULL, 0 },
        { "*..a", NULL, 0 },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        enum host_kind kind;
        struct slice host;
        bool ok = host_pattern(slice_of(rows[i].in), &kind, &host);
        assert_int_equal(ok, rows[i].host != NULL);
        if (ok) {
            assert_int_equal(kind, rows[i].kind);
            assert_true(slice_is(host, rows[i].host));
        }
    }
    char lengthy[300];
    enum host_kind kind;
    struct slice host;
    memset(lengthy, 'a', sizeof lengthy);
    assert_true(host_pattern((struct slice){ lengthy, 253 }, &kind, &host));
    assert_false(host_pattern((struct slice){ lengthy, 254 }, &kind, &host));
}

static void a_bare_host_is_that_host(void **state)
{
    struct hostset s;
    (void)state;
    hostset_init(&s, NULL, 1);
    assert_true(hostset_add(&s, SLICE("example.com"), 1));
    assert_int_equal(find(&s, "example.com"), 1);
    assert_int_equal(find(&s, "www.example.com"), 0);
    assert_int_equal(find(&s, "com"), 0);
    assert_int_equal(find(&s, "notexample.com"), 0);
    assert_int_equal(find(&s, "example.co"), 0);
    assert_int_equal(find(&s, "example.com.evil.example"), 0);
    assert_int_equal(find(&s, ""), 0);
    hostset_free(&s);
}

static void a_star_is_strictly_below(void **state)
{
    struct hostset s;
    (void)state;
    hostset_init(&s, NULL, 1);
    assert_true(hostset_add(&s, SLICE("*.example.com"), 1));
    assert_int_equal(find(&s, "example.com"), 0);
    assert_int_equal(find(&s, "www.example.com"), 1);
    assert_int_equal(find(&s, "a.b.c.example.com"), 1);
    assert_int_equal(find(&s, "notexample.com"), 0);
    assert_int_equal(find(&s, "www.notexample.com"), 0);
    assert_int_equal(find(&s, "com"), 0);
    hostset_free(&s);
}

static void a_dot_is_both(void **state)
{
    struct hostset s;
    (void)state;
    hostset_init(&s, NULL, 1);
    assert_true(hostset_add(&s, SLICE(".example.com"), 1));
    assert_int_equal(s.entries, 2);
    assert_int_equal(find(&s, "example.com"), 1);
    assert_int_equal(find(&s, "www.example.com"), 1);
    assert_int_equal(find(&s, "notexample.com"), 0);
    hostset_free(&s);
}

static void the_most_specific_comes_first(void **state)
{
    struct hostset s;
    struct host_prints p;
    u32 values[4];
    (void)state;
    hostset_init(&s, NULL, 0);
    assert_true(hostset_add(&s, SLICE("*.com"), 1));
    assert_true(hostset_add(&s, SLICE("*.example.com"), 2));
    assert_true(hostset_add(&s, SLICE("www.example.com"), 3));
    assert_true(hostset_add(&s, SLICE("*.www.example.com"), 4));
    assert_int_equal(find(&s, "www.example.com"), 3);
    assert_int_equal(find(&s, "x.www.example.com"), 4);
    assert_int_equal(find(&s, "mail.example.com"), 2);
    assert_int_equal(find(&s, "example.com"), 1);
    assert_int_equal(find(&s, "example.org"), 0);

    host_prints(&p, SLICE("www.example.com"));
    assert_int_equal(hostset_all(&s, &p, values, 4), 3);
    assert_int_equal(values[0], 3);
    assert_int_equal(values[1], 2);
    assert_int_equal(values[2], 1);
    assert_int_equal(hostset_all(&s, &p, values, 2), 2);
    hostset_free(&s);
}

static void repeated_entries(void **state)
{
    struct hostset s;
    (void)state;
    hostset_init(&s, NULL, 0);
    assert_true(hostset_add(&s, SLICE("Example.COM"), 7));
    assert_true(hostset_add(&s, SLICE("example.com"), 8));
    assert_int_equal(s.entries, 1);
    assert_int_equal(find(&s, "example.com"), 7);
    *hostset_slot(&s, HOST_ITSELF, SLICE("example.com")) = 9;
    assert_int_equal(find(&s, "example.com"), 9);
    assert_false(hostset_add(&s, SLICE("a..b"), 1));
    hostset_free(&s);
}

static void an_empty_set_has_nothing(void **state)
{
    struct hostset s;
    (void)state;
    hostset_init(&s, NULL, 0);
    assert_int_equal(find(&s, "example.com"), 0);
    hostset_free(&s);
}

/* Label lengths around the loads of the hash, and names that differ in one byte anywhere. */
static void every_byte_counts(void **state)
{
    struct hostset s;
    char name[256];
    (void)state;
    for (size_t n = 1; n <= 63; n++) {
        memset(name, 'a', sizeof name);
        memcpy(name + n, ".example", 9);
        hostset_init(&s, NULL, 0);
        assert_true(hostset_add(&s, slice_of(name), 1));
        assert_int_equal(find(&s, name), 1);
        for (size_t i = 0; i < n; i++) {
            name[i] = 'b';
            assert_int_equal(find(&s, name), 0);
            name[i] = 'a';
        }
        assert_int_equal(find(&s, name + 1), 0);
        hostset_free(&s);
    }
}

static void prints_of_odd_names(void **state)
{
    struct host_prints a, b;
    char dots[256];
    (void)state;
    host_prints(&a, SLICE(""));
    assert_int_equal(a.n, 0);
    host_prints(&a, SLICE("a"));
    assert_int_equal(a.n, 1);
    host_prints(&a, SLICE("a.b.c.d"));
    host_prints(&b, SLICE("x.c.d"));
    assert_int_equal(a.n, 4);
    assert_true(a.of[0] == b.of[0] && a.of[1] == b.of[1] && a.of[2] != b.of[2]);

    memset(dots, '.', sizeof dots);
    host_prints(&a, (struct slice){ dots, 255 });
    assert_int_equal(a.n, 0);
    for (size_t i = 0; i < sizeof dots; i += 2)
        dots[i] = 'a';
    host_prints(&a, (struct slice){ dots, 255 });
    assert_int_equal(a.n, 128);
    host_prints(&a, (struct slice){ dots, 256 });
    assert_int_equal(a.n, 0);
}

static void entries_deeper_than_the_mask(void **state)
{
    struct hostset s;
    char deep[256];
    (void)state;
    for (size_t i = 0; i < 200; i++)
        deep[i] = i % 2 ? '.' : 'a';
    hostset_init(&s, NULL, 0);
    char pattern[256] = "*.";
    memcpy(pattern + 2, deep, 159); /* 80 labels */
    assert_true(hostset_add(&s, (struct slice){ pattern, 161 }, 5));
    struct host_prints p;
    host_prints(&p, (struct slice){ deep, 159 });
    assert_int_equal(hostset_find(&s, &p), 0);
    host_prints(&p, (struct slice){ deep, 161 });
    assert_int_equal(hostset_find(&s, &p), 5);
    host_prints(&p, (struct slice){ deep, 199 });
    assert_int_equal(hostset_find(&s, &p), 5);
    hostset_free(&s);
}

static u64 seed = 7;
static unsigned pick(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static void random_name(char *out)
{
    char *at = out;
    for (unsigned n = 1 + pick(4); n > 0; n--)
        at += sprintf(at, "%c%s", 'a' + (int)pick(3), n > 1 ? "." : "");
}

static bool covers(const char *pattern, const char *host)
{
    size_t n = strlen(host), m = strlen(pattern);
    bool itself = pattern[0] != '*' && strcmp(pattern + (pattern[0] == '.'), host) == 0;
    const char *tail = pattern[0] == '*' ? pattern + 1 : pattern; /* ".host" */
    size_t k = m - (size_t)(tail - pattern);
    return itself || (tail[0] == '.' && n > k && strcmp(host + n - k, tail) == 0);
}

/* Sets of any size say the same as comparing with each pattern; small ones are kept as a list. */
static void same_as_one_by_one(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct hostset s;
        char pattern[12][16], host[16], name[16];
        unsigned n = pick(12) + 1;
        hostset_init(&s, NULL, round % 3 ? 0 : n);
        for (unsigned i = 0; i < n; i++) {
            static const char *const forms[] = { "", "*.", "." };
            random_name(name);
            snprintf(pattern[i], sizeof pattern[i], "%s%s", forms[pick(3)], name);
            assert_true(hostset_add(&s, slice_of(pattern[i]), i + 1));
        }
        for (unsigned probe = 0; probe < 50; probe++) {
            struct host_prints prints;
            u32 values[20];
            bool any = false;
            random_name(host);
            for (unsigned i = 0; i < n; i++)
                any = any || covers(pattern[i], host);
            host_prints(&prints, slice_of(host));
            assert_int_equal(hostset_has(&s, &prints), any);
            assert_int_equal(hostset_find(&s, &prints) != 0, any);
            unsigned found = hostset_all(&s, &prints, values, countof(values));
            assert_int_equal(found > 0, any);
            for (unsigned i = 0; i < found; i++) {
                assert_true(covers(pattern[values[i] - 1], host));
                assert_true(i == 0 || strlen(pattern[values[i] - 1]) <=
                                          strlen(pattern[values[i - 1] - 1]) + 2);
            }
        }
        hostset_free(&s);
    }
}

static void fill(struct hostset *s, unsigned n)
{
    char name[64];
    for (unsigned i = 0; i < n; i++) {
        int len = snprintf(name, sizeof name, "%shost%u.domain%u.example", i % 3 ? "" : "*.", i,
                           i % 1000);
        assert_true(hostset_add(s, (struct slice){ name, (size_t)len }, i + 1));
    }
}

/* 100,000 entries, grown from nothing and made at once, from malloc and from an arena. */
static void a_hundred_thousand(void **state)
{
    enum { N = 100000 };
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        struct arena arena;
        struct hostset s;
        arena_init(&arena, 0);
        hostset_init(&s, way & 1 ? &arena : NULL, way & 2 ? N : 0);
        fill(&s, N);
        assert_int_equal(s.entries, N);
        if (way & 2) /* the hint was enough: 16 bytes per entry */
            assert_true(s.buckets * CACHE_LINE <= 16 * N + CACHE_LINE);
        char name[64];
        for (unsigned i = 0; i < N; i++) {
            snprintf(name, sizeof name, "host%u.domain%u.example", i, i % 1000);
            assert_int_equal(find(&s, name), i % 3 ? i + 1 : 0);
            snprintf(name, sizeof name, "x.host%u.domain%u.example", i, i % 1000);
            assert_int_equal(find(&s, name), i % 3 ? 0 : i + 1);
            snprintf(name, sizeof name, "host%u.domain%u.example", i, i % 1000 + 1);
            assert_int_equal(find(&s, name), 0);
        }
        hostset_free(&s);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(a_bare_host_is_that_host),
        cmocka_unit_test(a_star_is_strictly_below),
        cmocka_unit_test(a_dot_is_both),
        cmocka_unit_test(the_most_specific_comes_first),
        cmocka_unit_test(repeated_entries),
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(prints_of_odd_names),
        cmocka_unit_test(entries_deeper_than_the_mask),
        cmocka_unit_test(same_as_one_by_one),
        cmocka_unit_test(a_hundred_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
