/* More different `vary` than the index has numbers for: new ones are kept all the same, and what many
 * records have stays. */
#include "cache/disk/seglog.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tests/unit/cache/help_log.h"

static struct seglog *l;

static int set_up(void **state)
{
    (void)state;
    l = help_log_in_memory(HELP_QUOTA);
    return l == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    help_log_end(l);
    return 0;
}

/* A record n with a variant that is of its `vary`, as that of a request is. */
static u64 variant_of(void *ctx, struct slice vary)
{
    (void)ctx;
    return hash64(hash_process_key(), vary.p, vary.n);
}

static void append(u64 n, const char *fmt, u64 name)
{
    char vary[32];
    snprintf(vary, sizeof vary, fmt, (unsigned long long)name);
    assert_true(help_append(l, &(struct help_record){ .n = n,
                                                      .version = 1,
                                                      .vary = vary,
                                                      .variant = variant_of(NULL, slice_of(vary)),
                                                      .body = 10 }));
}

static bool is_found(u64 n)
{
    struct cache_key key = help_key(n);
    struct seglog_place p;
    struct segment *s = seglog_find(l, &key, variant_of, NULL, &p);
    bool there = s != NULL;
    seglog_let(&s);
    return there;
}

enum { POPULAR = 50, FLOOD = 5 * SEGLOG_NAMES };

static void flood(void)
{
    for (u64 n = 0; n < POPULAR; n++)
        append(n, "accept-encoding", 0);
    for (u64 n = POPULAR; n < FLOOD; n++) {
        append(n, "x-%llu", n);
        if (n % 1000 == 0)
            assert_true(seglog_flush(l));
    }
    assert_true(seglog_flush(l));
    for (u64 n = 0; n < POPULAR; n++)
        assert_true(is_found(n));
}

/* An origin that sends ever new ones pushes out its own. */
static void a_flood(void **state)
{
    (void)state;
    flood();
    assert_true(seglog_hides(l)); /* of the others some may be back after a restart */
    for (unsigned round = 0; round < 2; round++) {
        for (u64 n = FLOOD - 1000; n < FLOOD; n++)
            assert_true(is_found(n));
        assert_true(seglog_counts(l).objects < POPULAR + SEGLOG_NAMES);
        l = help_log_again(l);
    }
}

/* Those that no record has any more go first, and no record goes with them. */
static void given_back(void **state)
{
    (void)state;
    for (u64 n = 1; n < SEGLOG_NAMES; n++)
        append(n, "x-%llu", n);
    assert_true(seglog_flush(l));
    l = help_log_again(l); /* sealed: none has to stay for its footer */
    for (u64 n = 1; n < SEGLOG_NAMES; n += 2) {
        struct cache_key key = help_key(n);
        assert_int_equal(seglog_remove(l, &key), 1);
    }
    for (u64 n = 0; n < 1000; n++)
        append(10000 + n, "y-%llu", n);
    assert_true(seglog_flush(l));
    for (u64 n = 2; n < SEGLOG_NAMES; n += 2)
        assert_true(is_found(n));
    for (u64 n = 0; n < 1000; n++)
        assert_true(is_found(10000 + n));
}

/* All of them in the open segment, whose footer is to have them: that is sealed, and right. */
static void all_in_the_open_segment(void **state)
{
    (void)state;
    for (u64 n = 0; n < SEGLOG_NAMES; n++)
        append(n, "x-%llu", n);
    assert_int_equal(seglog_counts(l).segments, 2);
    assert_true(seglog_flush(l));
    l = help_log_again(l);
    u64 there = 0;
    for (u64 n = 0; n < SEGLOG_NAMES; n++)
        there += is_found(n);
    assert_int_equal(there, SEGLOG_NAMES - 1); /* one number is for none at all */
}

static _Atomic bool over;

static void *look(void *arg)
{
    (void)arg;
    for (u64 n = 0; !atomic_load(&over); n++)
        (void)is_found(n % FLOOD);
    return NULL;
}

/* Whoever reads one has it until he has read it. */
static void given_up_while_read(void **state)
{
    (void)state;
    pthread_t thread[2];
    over = false;
    for (unsigned i = 0; i < countof(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, look, NULL), 0);
    flood();
    over = true;
    for (unsigned i = 0; i < countof(thread); i++)
        pthread_join(thread[i], NULL);
}

#define NAMES_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(a_flood),
        NAMES_TEST(given_back),
        NAMES_TEST(all_in_the_open_segment),
        NAMES_TEST(given_up_while_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
