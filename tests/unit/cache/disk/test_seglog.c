/* The log as its users see it: what was appended is found, whole, here and after a restart; what was
 * taken out is not. */
#include "cache/disk/seglog.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/cache/help_log.h"

static struct seglog *l;

static int set_up(void **state)
{
    (void)state;
    l = help_log(HELP_QUOTA);
    return l == NULL;
}

static int set_up_in_memory(void **state)
{
    (void)state;
    l = help_log_in_memory(HELP_SMALL);
    return l == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    help_log_end(l);
    l = NULL;
    return 0;
}

static bool append(u64 n, u64 version)
{
    return help_append(l, &(struct help_record){ .n = n, .version = version, .body = 1000 });
}

/* With a body of 60000 bytes: n from `from` on. */
static void append_many(u64 from, u64 to)
{
    struct help_record r = { .version = 1, .body = 60000 };
    for (r.n = from; r.n < to; r.n++)
        assert_true(help_append(l, &r));
}

static bool append_parts(u64 n, u32 part, u32 parts)
{
    return help_append(l, &(struct help_record){
                              .n = n, .version = 1, .body = 10, .part = part, .parts = parts });
}

static void again(void)
{
    l = help_log_again(l);
    assert_non_null(l);
}

/* As a crash leaves it: without a seal. What is appended by the child is in its file. */
static void crash_after(void (*what)(void))
{
    seglog_close(l);
    pid_t child = fork();
    if (child == 0) {
        l = help_log(HELP_QUOTA);
        what();
        _exit(!seglog_flush(l));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    l = help_log(HELP_QUOTA);
    assert_non_null(l);
}

static void found_after_the_flush(void **state)
{
    (void)state;
    assert_true(append(1, 7) && append(2, 8));
    assert_int_equal(help_found(l, 1), 0);
    assert_true(seglog_flush(l));
    assert_int_equal(help_found(l, 1), 7);
    assert_int_equal(help_found(l, 2), 8);
    assert_int_equal(help_found(l, 3), 0);
    assert_true(append(1, 9) && seglog_flush(l));
    assert_int_equal(help_found(l, 1), 9);
    assert_int_equal(seglog_counts(l).objects, 2);
    again();
    assert_int_equal(help_found(l, 1), 9);
    assert_int_equal(help_found(l, 2), 8);
    assert_int_equal(seglog_counts(l).objects, 2);
}

static void append_three(void)
{
    append(1, 1);
    append(2, 1);
    append(1, 2);
    append(4, 1);
    append(4, 2);
    append_parts(3, SEGLOG_PART, 3);
}

static void found_after_a_crash(void **state)
{
    (void)state;
    crash_after(append_three);
    assert_int_equal(help_found(l, 1), 2);
    assert_int_equal(help_found(l, 2), 1);
    assert_int_equal(help_found(l, 3), 1);
    again();
    assert_int_equal(help_found(l, 1), 2);
    assert_int_equal(help_found(l, 3), 1);
}

/* Bodies of all sizes, in the record or before it. */
static void bodies(void **state)
{
    (void)state;
    static const u32 size[] = { 0, 1, 31, 32, 33, 4096, SEGLOG_INLINE };
    for (u32 i = 0; i < countof(size); i++)
        assert_true(help_append(l, &(struct help_record){ .n = i, .version = 1, .body = size[i] }));
    assert_true(append_parts(100, SEGLOG_PART, 5) && seglog_flush(l));
    for (u32 i = 0; i < countof(size); i++)
        assert_int_equal(help_found(l, i), 1);
    assert_int_equal(help_found(l, 100), 1);
}

static void too_large_is_refused(void **state)
{
    (void)state;
    char *p = calloc(1, SEGLOG_PART + 1);
    struct iovec v = { p, SEGLOG_PART + 1 };
    struct seglog_place place;
    assert_false(seglog_append_bytes(l, &v, 1, &place));
    assert_int_equal(errno, EOVERFLOW);
    struct seglog_record r = { .key = help_key(1), .body = &v, .nbody = 1 };
    v.iov_len = SEGLOG_INLINE + 1;
    assert_false(seglog_append_record(l, &r));
    assert_int_equal(errno, EOVERFLOW);
    v.iov_len = SEGLOG_INLINE;
    assert_true(seglog_append_record(l, &r) && seglog_flush(l));
    free(p);
}

static void gone(void **state)
{
    (void)state;
    struct cache_key one = help_key(1), two = help_key(2);
    assert_true(append(1, 1) && append(2, 1) && append(3, 1) && seglog_flush(l));
    assert_int_equal(seglog_remove(l, &one), 1);
    assert_int_equal(seglog_remove(l, &one), 0);
    assert_int_equal(help_found(l, 1), 0);
    assert_true(seglog_append_gone(l, &one));
    assert_true(append(2, 2) && seglog_append_gone(l, &two)); /* before it is ever found */
    assert_true(append(3, 2) && seglog_flush(l));
    assert_int_equal(help_found(l, 2), 0);
    assert_true(append(2, 3) && seglog_flush(l));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(help_found(l, 1), 0);
        assert_int_equal(help_found(l, 2), 3);
        assert_int_equal(help_found(l, 3), 2);
        again();
    }
}

static void take_out_one(void)
{
    struct cache_key one = help_key(1), two = help_key(2);
    seglog_append_gone(l, &one);
    seglog_append_gone(l, &two);
    append(2, 5);
}

static void gone_after_a_crash(void **state)
{
    (void)state;
    crash_after(append_three);
    crash_after(take_out_one);
    assert_int_equal(help_found(l, 1), 0);
    assert_int_equal(help_found(l, 2), 5);
    assert_int_equal(help_found(l, 3), 1);
}

static void variants(void **state)
{
    (void)state;
    struct help_record r = { .n = 1 };
    for (u64 v = 1; v <= 2 * SEGLOG_VARIANTS; v++) {
        r.version = r.variant = v;
        r.vary = v % 2 ? "accept" : "cookie";
        assert_true(help_append(l, &r));
    }
    assert_true(seglog_flush(l));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(seglog_counts(l).objects, SEGLOG_VARIANTS);
        for (u64 v = 1; v <= 2 * SEGLOG_VARIANTS; v++)
            assert_int_equal(help_found_variant(l, 1, v), v > SEGLOG_VARIANTS ? v : 0);
        again();
    }
    struct cache_key key = help_key(1);
    assert_int_equal(seglog_remove(l, &key), SEGLOG_VARIANTS);
    assert_int_equal(seglog_counts(l).objects, 0);
}

static void banned(void **state)
{
    (void)state;
    u64 prefix, tag;
    assert_true(append(1, 1) && append(22, 1));
    assert_true(help_append(l, &(struct help_record){ .n = 4, .version = 1, .tags = "a red b" }));
    assert_true(seglog_flush(l));
    assert_true(seglog_ban(l, SEGLOG_BAN_PREFIX, SLICE("http://h.test/2"), false, &prefix));
    assert_true(seglog_ban(l, SEGLOG_BAN_TAG, SLICE("red"), true, &tag));
    assert_int_equal(help_found(l, 22), 0); /* at once */
    assert_int_equal(help_found(l, 4), 0);
    assert_int_equal(help_found(l, 1), 1);
    assert_true(append(23, 1) && seglog_flush(l));
    assert_int_equal(help_found(l, 23), 0);
    assert_true(seglog_append_ban(l, prefix) && seglog_append_ban(l, tag));
    assert_true(append(24, 1) && seglog_flush(l));
    assert_true(seglog_ban(l, SEGLOG_BAN_TAG, SLICE("blue"), false, &tag));
    assert_true(seglog_append_ban(l, tag) && seglog_flush(l)); /* the newest of all */
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(help_found(l, 1), 1);
        assert_int_equal(help_found(l, 22), 0);
        assert_int_equal(help_found(l, 23), 0);
        assert_int_equal(help_found(l, 24), 1);
        assert_int_equal(help_found(l, 4), 0);
        again();
    }
}

/* The first of two that are the same gets its place in the log late, and then comes what the second
 * one was to take away. */
static void banned_twice(void **state)
{
    (void)state;
    u64 first, second;
    assert_true(append(1, 1) && seglog_flush(l));
    assert_true(seglog_ban(l, SEGLOG_BAN_TAG, SLICE("red"), false, &first));
    assert_true(seglog_ban(l, SEGLOG_BAN_TAG, SLICE("red"), false, &second));
    assert_true(seglog_append_ban(l, first));
    assert_true(help_append(l, &(struct help_record){ .n = 4, .version = 1, .tags = "a red b" }));
    assert_true(seglog_flush(l));
    assert_int_equal(help_found(l, 4), 0);
    assert_true(seglog_append_ban(l, second));
    assert_true(help_append(l, &(struct help_record){ .n = 5, .version = 1, .tags = "red" }));
    assert_true(seglog_flush(l));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(help_found(l, 4), 0);
        assert_int_equal(help_found(l, 5), 1);
        again();
    }
}

static void a_folder_that_anybody_may_write_to(void **state)
{
    (void)state;
    char why[256] = "";
    seglog_close(l);
    assert_int_equal(chmod(help_log_folder(), 0777), 0);
    l = seglog_open(help_log_folder(), HELP_QUOTA, why, sizeof why);
    assert_null(l);
    assert_non_null(strstr(why, "may be written to by anybody"));
    assert_int_equal(chmod(help_log_folder(), 0700), 0);
    l = help_log(HELP_QUOTA);
    assert_non_null(l);
}

static void one_process_at_a_time(void **state)
{
    (void)state;
    char why[256] = "";
    struct stat st;
    assert_null(seglog_open(help_log_folder(), HELP_QUOTA, why, sizeof why));
    assert_non_null(strstr(why, "another process has it"));
    assert_non_null(strstr(why, help_log_folder()));
    assert_null(seglog_open("/proc/none/x", HELP_QUOTA, why, sizeof why));
    assert_non_null(strstr(why, "/proc/none/x"));
    snprintf(why, sizeof why, "%s/secret", help_log_folder());
    assert_int_equal(stat(why, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct hash_key before = *seglog_secret(l);
    again();
    assert_memory_equal(&before, seglog_secret(l), sizeof before);
}

static u64 bytes_on_disk(void)
{
    char command[128];
    unsigned long long sum = 0;
    snprintf(command, sizeof command, "du -scB1 %s/seg-* | tail -1", help_log_folder());
    FILE *f = popen(command, "r");
    assert_int_equal(fscanf(f, "%llu", &sum), 1);
    pclose(f);
    return sum;
}

/* The quota is never exceeded; the newest are there, the oldest are not, and nothing between. */
static void the_oldest_leave(void **state)
{
    (void)state;
    const u64 all = 800; /* three quotas */
    for (u64 n = 0; n < all; n++) {
        append_many(n, n + 1);
        assert_true(seglog_counts(l).bytes <= HELP_SMALL);
        if (n % 200 == 0)
            assert_true(bytes_on_disk() <= HELP_SMALL + HELP_SMALL / 50);
    }
    assert_true(seglog_flush(l));
    for (unsigned round = 0; round < 2; round++) {
        u64 oldest = all;
        while (oldest > 0 && help_found(l, oldest - 1) == 1)
            oldest--;
        assert_in_range(all - oldest, HELP_SMALL / 60000 * 7 / 10, HELP_SMALL / 60000);
        assert_int_equal(seglog_counts(l).objects, all - oldest);
        for (u64 n = 0; n < oldest; n++)
            assert_int_equal(help_found(l, n), 0);
        again();
    }
}

/* What is asked for is there for ever; what is not, or is stale, or banned, is not. */
static void the_used_are_passed_on(void **state)
{
    (void)state;
    u64 id;
    assert_true(help_append(l, &(struct help_record){ .n = 1000006, .version = 1, .tags = "red" }));
    assert_true(seglog_ban(l, SEGLOG_BAN_TAG, SLICE("red"), true, &id) && seglog_append_ban(l, id));
    assert_true(append(1000001, 1) && append(1000002, 1) && append_parts(1000004, 100000, 2));
    assert_true(help_append(l, &(struct help_record){
                                   .n = 1000005, .version = 1, .body = 100, .until = 1000 }));
    for (u64 n = 0; n < 800; n += 25) {
        append_many(n, n + 25);
        assert_true(seglog_flush(l));
        assert_int_equal(help_found(l, 1000001), 1);
        assert_int_equal(help_found(l, 1000004), 1);
        help_found(l, 1000005);
        assert_int_equal(help_found(l, 1000006), 0);
    }
    assert_int_equal(help_found(l, 1000002), 0);
    assert_int_equal(help_found(l, 1000005), 0); /* stale */
    assert_in_range(seglog_counts(l).passed_on, 4, 10);
    again();
    assert_int_equal(help_found(l, 1000001), 1);
    assert_int_equal(help_found(l, 1000004), 1);
}

/* Held, it is read to its end though it has left; what was taken out does not come back. */
static void held_while_it_leaves(void **state)
{
    (void)state;
    struct seglog_place p;
    assert_true(append(7, 1) && seglog_flush(l));
    assert_true(help_place(l, 7, &p));
    struct segment *s = seglog_hold(l, p.segment);
    struct cache_key key = help_key(7);
    assert_int_equal(seglog_remove(l, &key), 1);
    append_many(100, 400);
    assert_null(seglog_hold(l, p.segment));
    char got[8];
    assert_int_equal(seglog_read(s, &p, 0, got, sizeof got, true), sizeof got);
    assert_memory_equal(got, &key, sizeof got);
    int fd = segment_fd(s);
    assert_false(seglog_tidy(l));
    seglog_let(&s);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1); /* what may take long is not the reader's */
    assert_true(seglog_tidy(l));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(help_found(l, 7), 0);
}

/* What has left and is still read makes the rest smaller, by one segment for each that is made, and
 * to a half of the quota at most; when it is let go all of it is there for the log again. */
static void what_is_held_counts(void **state)
{
    (void)state;
    enum { HOLDERS = 40 };
    struct segment *held[HOLDERS];
    struct seglog_counts c;
    u64 n = 0, most = 0;
    for (unsigned i = 0; i < HOLDERS; i++) {
        struct seglog_place p;
        append_many(n, n + 40); /* some more than a segment */
        assert_true(seglog_flush(l) && help_place(l, n + 39, &p));
        n += 40;
        held[i] = seglog_hold(l, p.segment);
        c = seglog_counts(l);
        u64 sum = c.bytes + c.held_bytes;
        most = sum > most ? sum : most;
        if (c.held_bytes > HELP_SMALL / 5)
            assert_true(c.bytes <= HELP_SMALL * 3 / 4);
    }
    c = seglog_counts(l);
    assert_true(c.held_bytes > HELP_SMALL / 2); /* nobody's was closed */
    assert_in_range(c.bytes, HELP_SMALL / 2 - (4 << 20), HELP_SMALL / 2 + (2 << 20));
    assert_true(most > HELP_SMALL);
    for (unsigned i = 0; i < HOLDERS; i++)
        seglog_let(&held[i]);
    append_many(n, n + 400);
    assert_true(seglog_flush(l));
    c = seglog_counts(l);
    assert_int_equal(c.held_bytes, 0);
    assert_in_range(c.bytes, HELP_SMALL - (4 << 20), HELP_SMALL);
}

static void another_quota(void **state)
{
    (void)state;
    seglog_resize(l, 2 * HELP_SMALL);
    append_many(0, 600);
    assert_true(seglog_flush(l));
    assert_true(seglog_counts(l).bytes > HELP_SMALL * 3 / 2);
    seglog_resize(l, HELP_SMALL);
    assert_true(append(5000, 1) && seglog_flush(l));
    assert_true(seglog_counts(l).bytes <= HELP_SMALL);
    assert_int_equal(help_found(l, 5000), 1);
    assert_int_equal(help_found(l, 599), 1);
}

static void flip(u64 n, u32 ahead)
{
    struct seglog_place p;
    char c;
    assert_true(help_place(l, n, &p));
    struct segment *s = seglog_hold(l, p.segment);
    off_t at = (off_t)segment_offset(&p) + ahead;
    assert_int_equal(pread(segment_fd(s), &c, 1, at), 1);
    c ^= 4;
    assert_int_equal(pwrite(segment_fd(s), &c, 1, at), 1);
    seglog_let(&s);
}

/* What is good elsewhere is not good here: an older version of the same thing, say. */
static void of_another_place(void **state)
{
    (void)state;
    struct seglog_place older, newer;
    char frame[1500];
    assert_true(append(1, 1) && seglog_flush(l) && help_place(l, 1, &older));
    assert_true(append(1, 2) && seglog_flush(l) && help_place(l, 1, &newer));
    struct segment *s = seglog_hold(l, newer.segment);
    const size_t n = (newer.at - older.at) * SEGLOG_UNIT;
    assert_in_range(n, 1000, sizeof frame);
    assert_int_equal(pread(segment_fd(s), frame, n, (off_t)older.at * SEGLOG_UNIT), n);
    assert_int_equal(pwrite(segment_fd(s), frame, n, (off_t)newer.at * SEGLOG_UNIT), n);
    seglog_let(&s);
    assert_int_equal(help_found(l, 1), -1);
}

static void bad_ones_are_found_out(void **state)
{
    (void)state;
    const _Atomic bool stop = false;
    for (u64 n = 0; n < 20; n++)
        assert_true(append(n, 1));
    assert_true(append_parts(50, 5000, 2) && seglog_flush(l));
    struct seglog_verified v = seglog_verify(l, &stop);
    assert_int_equal(v.records, 21);
    assert_int_equal(v.bad, 0);
    flip(7, 500);
    flip(9, 0);
    assert_int_equal(help_found(l, 7), -1);
    v = seglog_verify(l, &stop);
    assert_int_equal(v.records, 21);
    assert_int_equal(v.bad, 2);
    assert_int_equal(help_found(l, 7), 0);
    assert_int_equal(help_found(l, 9), 0);
    assert_int_equal(help_found(l, 8), 1);
    assert_int_equal(seglog_verify(l, &stop).bad, 0);
    assert_int_equal(seglog_counts(l).objects, 19);
}

/* A byte of a segment's file, from its beginning, or its end when that is negative. */
static bool spoil(u32 segment, off_t at)
{
    char path[96], c;
    snprintf(path, sizeof path, "%s/seg-%08x", help_log_folder(), segment);
    int fd = open(path, O_RDWR);
    if (fd < 0)
        return false;
    at = at < 0 ? lseek(fd, 0, SEEK_END) + at : at;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
    return true;
}

/* Two bits: one in the footer, so that the frames are read, and one in a frame. Nobody knows what
 * came after it, so nothing older counts. */
static void what_cannot_be_known(void **state)
{
    (void)state;
    struct seglog_place p;
    struct cache_key key = help_key(1);
    assert_true(append(1, 1) && append(2, 1));
    again();
    assert_true(append(3, 1) && seglog_append_gone(l, &key) && seglog_flush(l));
    again();
    assert_true(append(4, 1) && seglog_flush(l));
    assert_true(help_place(l, 3, &p));
    flip(3, 40);
    seglog_close(l);
    assert_true(spoil(p.segment, -64));
    l = help_log(HELP_QUOTA);
    assert_int_equal(help_found(l, 4), 1);
    for (u64 n = 1; n <= 3; n++)
        assert_int_equal(help_found(l, n), 0);
    assert_true(append(5, 1) && seglog_flush(l));
    again();
    assert_int_equal(help_found(l, 5), 1);
}

/* Without a footer, the frames say the same. */
static void without_footers(void **state)
{
    (void)state;
    struct cache_key key = help_key(2);
    append_three();
    assert_true(seglog_append_gone(l, &key));
    seglog_close(l);
    for (u32 i = 1; spoil(i, -64); i++)
        ;
    l = help_log(HELP_QUOTA);
    assert_int_equal(help_found(l, 1), 2);
    assert_int_equal(help_found(l, 2), 0);
    assert_int_equal(help_found(l, 3), 1);
}

static void of_another_format(void **state)
{
    (void)state;
    char path[96];
    assert_true(append(1, 1));
    seglog_close(l);
    assert_true(spoil(1, 16));
    snprintf(path, sizeof path, "%s/seg-0000000x", help_log_folder());
    close(open(path, O_RDWR | O_CREAT, 0600));
    l = help_log(HELP_QUOTA);
    assert_int_equal(help_found(l, 1), 0);
    assert_int_equal(seglog_counts(l).segments, 0);
    assert_int_equal(access(path, F_OK), 0); /* none of ours */
    assert_true(append(1, 2) && seglog_flush(l));
    assert_int_equal(help_found(l, 1), 2);
}

static void the_folder_is_deleted(void **state)
{
    (void)state;
    char command[128];
    assert_true(append(1, 1) && seglog_flush(l));
    struct hash_key before = *seglog_secret(l);
    snprintf(command, sizeof command, "rm -r %s", help_log_folder());
    assert_int_equal(system(command), 0);
    assert_int_equal(help_found(l, 1), 1); /* as long as the file is open */
    append_many(100, 200);
    assert_true(seglog_flush(l));
    again();
    assert_int_equal(help_found(l, 199), 1);
    assert_memory_equal(&before, seglog_secret(l), sizeof before);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define LARGE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_in_memory, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(found_after_the_flush),
        LOG_TEST(found_after_a_crash),
        LOG_TEST(bodies),
        LOG_TEST(too_large_is_refused),
        LOG_TEST(gone),
        LOG_TEST(gone_after_a_crash),
        LOG_TEST(variants),
        LOG_TEST(banned),
        LOG_TEST(banned_twice),
        LOG_TEST(a_folder_that_anybody_may_write_to),
        LOG_TEST(one_process_at_a_time),
        LARGE_TEST(the_oldest_leave),
        LARGE_TEST(the_used_are_passed_on),
        LARGE_TEST(held_while_it_leaves),
        LARGE_TEST(what_is_held_counts),
        LARGE_TEST(another_quota),
        LOG_TEST(of_another_place),
        LOG_TEST(bad_ones_are_found_out),
        LOG_TEST(what_cannot_be_known),
        LOG_TEST(without_footers),
        LOG_TEST(of_another_format),
        LOG_TEST(the_folder_is_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
