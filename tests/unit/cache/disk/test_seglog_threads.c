/* Threads that find, take out, ban and verify while the writer appends, drops and passes on, and
 * while it loads: whatever is found is whole and right, and what was taken out stays out. */
#include "cache/disk/seglog.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/cache/help_log.h"

enum { KEYS = 300, READERS = 3 };

static struct seglog *l;
static _Atomic bool stop;
static _Atomic u64 found, wrong;

static u32 any(u64 *seed, u32 n)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (u32)(*seed >> 33) % n;
}

static void *read_some(void *arg)
{
    u64 seed = (u64)(uintptr_t)arg, id;
    while (!atomic_load(&stop)) {
        u32 n = any(&seed, KEYS), what = any(&seed, 1000);
        struct cache_key key = help_key(n);
        if (what == 0)
            seglog_ban(l, SEGLOG_BAN_TAG, SLICE("red"), false, &id);
        else if (what < 20)
            seglog_remove(l, &key);
        i64 version = help_found(l, n);
        atomic_fetch_add(&found, version > 0);
        atomic_fetch_add(&wrong, version < 0);
    }
    return NULL;
}

static void *verify_all(void *arg)
{
    for (; !atomic_load(&stop); usleep(20000))
        atomic_fetch_add(&wrong, seglog_verify(l, &stop).bad);
    return arg;
}

static bool write_one(u64 *seed)
{
    struct help_record r = { .n = any(seed, KEYS), .version = 1, .body = any(seed, SEGLOG_INLINE) };
    struct cache_key key = help_key(r.n);
    r.tags = any(seed, 10) ? "" : "red";
    if (any(seed, 4) == 0)
        r.part = 1 + any(seed, 100000), r.parts = 2;
    if (any(seed, 20) == 0 && !seglog_append_gone(l, &key))
        return false;
    return help_append(l, &r) && (any(seed, 8) || seglog_flush(l));
}

static bool dropped_enough(void)
{
    return seglog_counts(l).dropped > KEYS && seglog_counts(l).passed_on > 10;
}

static void while_it_is_written(void **state)
{
    (void)state;
    pthread_t thread[READERS];
    u64 seed = 1;
    stop = false;
    for (u64 i = 0; i < READERS; i++)
        pthread_create(&thread[i], NULL, i ? read_some : verify_all, (void *)(uintptr_t)i);
    for (u32 i = 0; i < 50000 && !(dropped_enough() && found > 100); i++)
        assert_true(write_one(&seed));
    stop = true;
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(thread[i], NULL);
    assert_true(dropped_enough());
    assert_int_equal(wrong, 0);
    assert_true(found > 100);
}

static void *take_out(void *arg)
{
    for (u64 n = 0; n < KEYS * 3; n += 2) {
        struct cache_key key = help_key(n);
        seglog_remove(l, &key);
    }
    return arg;
}

/* At each moment of the load: what is taken out does not come with an older segment. */
static void while_it_is_loaded(void **state)
{
    (void)state;
    pthread_t thread;
    for (u64 round = 1; round <= 4; round++)
        for (u64 n = 0; n < KEYS * 3; n++)
            assert_true(
                help_append(l, &(struct help_record){ .n = n, .version = round, .body = 500 }));
    seglog_close(l);
    l = help_log_only_opened(HELP_SMALL);
    pthread_create(&thread, NULL, take_out, NULL);
    stop = false;
    seglog_load(l, &stop);
    pthread_join(thread, NULL);
    for (u64 n = 0; n < KEYS * 3; n++)
        assert_int_equal(help_found(l, n), n % 2 ? 4 : 0);
}

static int set_up(void **state)
{
    (void)state;
    l = help_log_in_memory(HELP_SMALL);
    return l == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    help_log_end(l);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(while_it_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_it_is_loaded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
