/*
 * A process that appends, and is killed at any moment: whatever is found thereafter is whole and
 * right, what a flush has said true for is there, and what a GONE or a ban has taken out is not.
 *
 * 100 kills for each test; SEGLOG_KILLS says how many else.
 */
#include "cache/disk/seglog.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/cache/help_log.h"

enum { KEYS = 60, PENDING = 16 };

/* Told by the child, in memory that it shares: versions of each key, counted from 1. */
struct told {
    u64 appended; /* the last that was begun with */
    u64 flushed;  /* the last that a flush was good for */
    u64 gone;     /* up to this one a GONE or ban was begun with */
    u64 gone_flushed;
};
static struct shared {
    struct told key[KEYS];
    bool full; /* the oldest may have left */
} * shared;
static struct told *told;
static u64 seed;

static u32 any(u32 n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (u32)(seed >> 33) % n;
}

/* What has been appended since the last flush. */
static struct pending {
    u32 key;
    u64 version;
    bool gone;
} pending[PENDING * KEYS];
static u32 npending;

static void append_one(struct seglog *l, u32 key, bool large)
{
    struct help_record r = { .n = key, .version = ++told[key].appended };
    r.body = any(4) ? any(2000) : any(SEGLOG_INLINE);
    if (any(large ? 2 : 20) == 0) {
        r.part = 1 + any(large ? 1000000 : 100000);
        r.parts = 1 + any(3);
    }
    if (help_append(l, &r))
        pending[npending++] = (struct pending){ key, r.version, false };
}

static void gone_one(struct seglog *l, u32 key)
{
    struct cache_key k = help_key(key);
    told[key].gone = told[key].appended;
    seglog_remove(l, &k);
    if (seglog_append_gone(l, &k))
        pending[npending++] = (struct pending){ key, told[key].gone, true };
}

static void ban_all(struct seglog *l)
{
    u64 id;
    for (u32 key = 0; key < KEYS; key++)
        told[key].gone = told[key].appended;
    if (!seglog_ban(l, SEGLOG_BAN_PREFIX, SLICE(""), false, &id) || !seglog_append_ban(l, id))
        return;
    for (u32 key = 0; key < KEYS; key++)
        pending[npending++] = (struct pending){ key, told[key].gone, true };
}

static void flush(struct seglog *l)
{
    bool good = seglog_flush(l);
    for (u32 i = 0; good && i < npending; i++) {
        struct told *t = &told[pending[i].key];
        u64 *flushed = pending[i].gone ? &t->gone_flushed : &t->flushed;
        *flushed = pending[i].version;
    }
    npending = 0;
    shared->full |= seglog_counts(l).bytes > HELP_QUOTA / 4 * 3;
}

static _Noreturn void child(bool large)
{
    struct seglog *l = help_log(HELP_QUOTA);
    for (;;) {
        for (u32 n = 1 + any(PENDING - 1); n > 0; n--) {
            u32 key = any(KEYS), what = any(200);
            if (what == 0)
                ban_all(l);
            else if (what < 30)
                gone_one(l, key);
            else if (what < 40)
                help_found(l, key);
            else
                append_one(l, key, large);
            if (what == 0)
                break;
        }
        flush(l);
    }
}

static void check(struct seglog *l, u32 key, bool all)
{
    const struct told *t = &told[key];
    i64 found = help_found(l, key);
    assert_true(found >= 0 && (u64)found <= t->appended);
    if (found > 0)
        assert_true((u64)found > t->gone_flushed && (u64)found >= t->flushed);
    else if (all && !shared->full)
        assert_true(t->gone >= t->flushed);
}

static void kill_one(bool large, bool all)
{
    struct seglog *l;
    u32 wait = any(8) ? any(4000) : any(20000);
    seed++;
    pid_t pid = fork();
    if (pid == 0)
        child(large);
    usleep(wait);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    l = help_log(HELP_QUOTA);
    assert_non_null(l);
    assert_true(seglog_counts(l).bytes <= HELP_QUOTA);
    for (u32 key = 0; key < KEYS; key++)
        check(l, key, all);
    seglog_close(l);
}

static u32 kills(void)
{
    const char *n = getenv("SEGLOG_KILLS");
    return n ? (u32)atoi(n) : 100;
}

static void begin_anew(void)
{
    help_log_delete();
    seglog_close(help_log_in_memory(HELP_QUOTA));
    memset(shared, 0, sizeof *shared);
}

/* Nothing leaves for lack of room, so what was flushed has to be there. slow: 100 processes run for
 * some milliseconds each. */
static void killed(void **state)
{
    (void)state;
    for (u32 n = kills(), i = 0; i < n; i++) {
        if (i % 10 == 0 || shared->full)
            begin_anew();
        kill_one(false, true);
    }
}

/* Segments are sealed and dropped all the time. slow: as above. */
static void killed_while_it_is_full(void **state)
{
    (void)state;
    begin_anew();
    for (u32 n = kills(); n > 0; n--)
        kill_one(true, false);
}

static int set_up(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    seed = (u64)getpid();
    told = shared->key;
    return shared == MAP_FAILED;
}

static int tear_down(void **state)
{
    (void)state;
    munmap(shared, sizeof *shared);
    help_log_delete();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_while_it_is_full, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
