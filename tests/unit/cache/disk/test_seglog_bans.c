/* Whole sets that are taken out, or made stale: at once, after a restart, and when there are so many
 * of them that the log applies them. */
#include "cache/disk/segment.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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

static void append(u64 n, const char *tags)
{
    assert_true(
        help_append(l, &(struct help_record){ .n = n, .version = 1, .body = 100, .tags = tags }));
}

static u64 ban(enum seglog_ban_kind kind, bool soft, const char *fmt, u64 n)
{
    char text[64];
    u64 id;
    snprintf(text, sizeof text, fmt, (unsigned long long)n);
    assert_true(seglog_ban(l, kind, slice_of(text), soft, &id));
    return id;
}

static void ban_now(enum seglog_ban_kind kind, bool soft, const char *fmt, u64 n)
{
    assert_true(seglog_append_ban(l, ban(kind, soft, fmt, n)));
}

static enum seglog_standing standing(u64 n, const char *tags)
{
    char url[64];
    struct seglog_place p;
    struct cache_key key = help_key(n);
    snprintf(url, sizeof url, "http://h.test/%llu/x", (unsigned long long)n);
    return help_place(l, n, &p) ? seglog_standing(l, &key, &p, slice_of(url), slice_of(tags))
                                : SEGLOG_BANNED;
}

static void apply_all(void)
{
    while (!seglog_apply_bans(l))
        ;
}

/* Not what begins with it, as with a prefix; nor after a restart. */
static void one_url(void **state)
{
    (void)state;
    append(1, "");
    append(2, "");
    ban_now(SEGLOG_BAN_URL, true, "http://h.test/%llu/x", 1);
    ban_now(SEGLOG_BAN_URL, false, "http://h.test/%llu/", 2);
    assert_true(seglog_flush(l));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(standing(1, ""), SEGLOG_STALE);
        assert_int_equal(standing(2, ""), SEGLOG_STANDS);
        l = help_log_again(l);
    }
}

enum { OLD = 400 };

/* What the bans below have left of what was there before them. */
static void assert_applied(void)
{
    for (u64 n = 0; n < OLD; n++) {
        char tags[64];
        snprintf(tags, sizeof tags, "all t-%llu", (unsigned long long)n);
        enum seglog_standing want = n < 100   ? SEGLOG_BANNED
                                    : n < 150 ? SEGLOG_STALE
                                    : n < 160 ? SEGLOG_BANNED
                                              : SEGLOG_STANDS;
        assert_int_equal(standing(n, tags), want);
    }
    assert_int_equal(help_found(l, OLD), 1); /* came thereafter */
}

/* 3,000 purges, of which most hit nothing: when they have been applied they are no more asked, and
 * still hold, here and after a restart, for segments that are sealed and for the one that is open. */
static void many_are_applied(void **state)
{
    (void)state;
    for (u64 n = 0; n < OLD; n++) {
        char tags[64];
        snprintf(tags, sizeof tags, "all t-%llu", (unsigned long long)n);
        assert_true(help_append(l, &(struct help_record){
                                       .n = n, .version = 1, .body = 12000, .tags = tags }));
    }
    for (u64 n = 0; n < 3000; n++)
        ban_now(SEGLOG_BAN_TAG, n >= 100 && n < 150, "t-%llu", n < 150 ? n : n + OLD);
    for (u64 n = 150; n < 160; n++)
        ban_now(SEGLOG_BAN_PREFIX, false, "http://h.test/%llu/", n);
    append(OLD, "t-5");
    assert_true(seglog_flush(l));
    assert_int_equal(seglog_counts(l).bans, 3010);
    assert_applied();
    for (unsigned round = 0; round < 2; round++) {
        apply_all();
        assert_int_equal(seglog_counts(l).bans, 0);
        assert_int_equal(seglog_counts(l).objects, OLD + 1 - 110);
        assert_applied();
        l = help_log_again(l);
        assert_int_equal(seglog_counts(l).bans, 3010);
        assert_applied();
    }
}

/* Those that came, or came again, while others were applied are in force thereafter. */
static void those_that_come_meanwhile(void **state)
{
    (void)state;
    for (u64 n = 0; n < 20000; n++)
        append(n, "red");
    assert_true(seglog_flush(l));
    for (u64 n = 0; n < SEGLOG_BANS_APPLY; n++)
        ban_now(SEGLOG_BAN_TAG, false, "t-%llu", n);
    assert_true(seglog_flush(l));
    assert_false(seglog_apply_bans(l));
    assert_int_equal(seglog_counts(l).bans, SEGLOG_BANS_APPLY);
    append(1, "t-7");
    assert_true(seglog_flush(l));
    ban_now(SEGLOG_BAN_TAG, false, "t-%llu", 7);
    (void)ban(SEGLOG_BAN_TAG, false, "t-%llu", 8);
    apply_all();
    assert_int_equal(seglog_counts(l).bans, 2);
    assert_int_equal(help_found(l, 1), 0);
    assert_int_equal(help_found(l, 2), 1);
}

/* There is always room for one more: where they come faster than they are applied the older half of
 * them becomes one about all that was there before. Only those that the disk has not taken yet can
 * be too many. */
static void there_is_always_room(void **state)
{
    (void)state;
    u64 id, *ids = malloc(SEGLOG_BANS * sizeof *ids);
    append(1, "");
    assert_true(seglog_flush(l));
    for (u64 n = 0; n < SEGLOG_BANS; n++)
        ids[n] = ban(SEGLOG_BAN_PREFIX, false, "http://other/%llu", n);
    assert_false(seglog_ban(l, SEGLOG_BAN_PREFIX, SLICE("x"), false, &id));
    ids[0] = ban(SEGLOG_BAN_PREFIX, false, "http://other/%llu", 0); /* again */
    for (u64 n = 0; n < SEGLOG_BANS; n++) {
        if (n == SEGLOG_BANS * 3 / 4 || n == 100)
            append(n == 100 ? 3 : 2, "");
        assert_true(seglog_append_ban(l, ids[n]));
    }
    assert_true(seglog_flush(l));
    assert_true(help_found(l, 1) == 1 && help_found(l, 3) == 1);
    ban_now(SEGLOG_BAN_TAG, false, "one-more", 0);
    assert_true(seglog_counts(l).bans < SEGLOG_BANS * 3 / 4);
    assert_true(help_found(l, 1) == 0 && help_found(l, 3) == 0);
    assert_int_equal(help_found(l, 2), 1);
    free(ids);
}

/* All of that are about it, and then so many that they are applied. */
static void ban_red(void)
{
    ban_now(SEGLOG_BAN_TAG, false, "red", 0);
    for (u64 n = 0; n < SEGLOG_BANS_APPLY; n++)
        ban_now(SEGLOG_BAN_TAG, false, "t-%llu", n);
    assert_true(seglog_flush(l));
}

static ssize_t failing_pread(int fd, void *p, size_t n, off_t at)
{
    (void)fd, (void)p, (void)n, (void)at;
    errno = EIO;
    return -1;
}

/* What cannot be read while they are applied may be what they are about: nothing of it is found when
 * they are forgotten and the disk reads again, be it in the open segment, or in one that is sealed,
 * whose list has to be read as well. */
static void not_to_be_read_meanwhile(void **state)
{
    (void)state;
    const struct segment_calls real = segment_calls;
    for (u64 n = 0; n < OLD; n++)
        assert_true(help_append(l, &(struct help_record){
                                       .n = n, .version = 1, .body = 12000, .tags = "red" }));
    ban_red();
    assert_true(seglog_counts(l).segments > 1);
    segment_calls.pread = failing_pread;
    apply_all();
    segment_calls = real;
    assert_int_equal(seglog_counts(l).bans, 0);
    assert_int_equal(seglog_counts(l).gone_bad, OLD);
    for (u64 n = 0; n < OLD; n++)
        assert_int_equal(help_found(l, n), 0);
}

/* A tag counts wherever it stands, though most records have all of theirs near the beginning. */
static void tags_that_are_many(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 9; n++) {
        char tags[9000];
        snprintf(tags, sizeof tags, "%0*u red", n * 1000, n);
        append(n, tags);
    }
    ban_red();
    apply_all();
    assert_int_equal(seglog_counts(l).bans, 0);
    assert_int_equal(seglog_counts(l).objects, 0);
}

/* What one is about may stand in the segment that has become the oldest, before it. */
static void in_force_as_long_as_that_is_there(void **state)
{
    (void)state;
    enum { BANNED = 1000000 };
    struct seglog_place p;
    u64 n = 0;
    seglog_close(l);
    l = help_log(HELP_SMALL);
    while (seglog_counts(l).segments < 2)
        assert_true(help_append(l, &(struct help_record){ .n = n++, .version = 1, .body = 12000 }));
    append(BANNED, "red");
    assert_true(seglog_flush(l));
    assert_true(help_place(l, BANNED, &p) && p.segment == 2);
    ban_now(SEGLOG_BAN_TAG, false, "red", 0);
    while (seglog_counts(l).dropped == 0)
        assert_true(help_append(l, &(struct help_record){ .n = n++, .version = 1, .body = 12000 }));
    assert_true(help_place(l, BANNED, &p) && p.segment == 2);
    assert_int_equal(help_found(l, BANNED), 0);
}

static _Atomic bool over;
static _Atomic unsigned found;

static void *look_for_it(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        found += help_found(l, 5) != 0;
    return NULL;
}

/* Nobody finds it at any moment, though he have found where it lies before it was taken out. */
static void looked_for_meanwhile(void **state)
{
    (void)state;
    pthread_t thread;
    found = 0;
    for (u64 round = 0; round < 20; round++) {
        append(5, "red");
        assert_true(seglog_flush(l));
        ban_now(SEGLOG_BAN_TAG, false, "red", 0);
        for (u64 n = 0; n < SEGLOG_BANS_APPLY; n++)
            ban_now(SEGLOG_BAN_TAG, false, "t-%llu", round << 32 | n);
        assert_true(seglog_flush(l));
        over = false;
        assert_int_equal(pthread_create(&thread, NULL, look_for_it, NULL), 0);
        apply_all();
        over = true;
        pthread_join(thread, NULL);
        assert_int_equal(found, 0);
    }
}

#define BANS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BANS_TEST(one_url),
        BANS_TEST(many_are_applied),
        BANS_TEST(those_that_come_meanwhile),
        BANS_TEST(there_is_always_room),
        BANS_TEST(not_to_be_read_meanwhile),
        BANS_TEST(tags_that_are_many),
        BANS_TEST(in_force_as_long_as_that_is_there),
        BANS_TEST(looked_for_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
