/* A disk that fails, at each of its calls in turn: what an append or a flush says is true, whatever
 * is found is whole and right, and when the disk works again so does the log. */
#include "cache/disk/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "tests/unit/cache/help_log.h"

enum { RECORDS = 80 };

static struct segment_calls real;
static struct {
    unsigned wait; /* calls that still go well; UINT_MAX: all */
    unsigned count;
    int error; /* 0: a write is short, but goes on */
    bool lasting, seen;
} fault;

static bool fails(void)
{
    if (fault.wait == 0) {
        fault.wait = fault.lasting ? 0 : UINT32_MAX;
        fault.seen = true;
        fault.count++;
        errno = fault.error;
        return true;
    }
    fault.wait -= fault.wait != UINT32_MAX;
    return false;
}

static ssize_t failing_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (!fails())
        return real.pwrite(fd, p, n, at);
    if (fault.error == 0)
        return real.pwrite(fd, p, n / 3 + 1, at);
    if (n > 64) /* some of it came before */
        must(real.pwrite(fd, p, n / 2, at) > 0);
    errno = fault.error;
    return -1;
}

static int failing_fdatasync(int fd)
{
    (void)fd;
    return fails() && fault.error ? -1 : 0;
}

static int failing_open(const char *path, int flags, unsigned mode)
{
    if ((flags & O_CREAT) && fails() && fault.error)
        return -1;
    return real.open(path, flags, mode);
}

static int failing_fallocate(int fd, int mode, off_t at, off_t n)
{
    if (fails() && fault.error)
        return -1;
    return real.fallocate(fd, mode, at, n);
}

static void begin(unsigned wait, int error, bool lasting)
{
    fault.wait = wait;
    fault.error = error;
    fault.lasting = lasting;
    fault.seen = false;
    fault.count = 0;
}

static void heal(void)
{
    fault.wait = UINT32_MAX;
}

/* The versions that a flush was good for. */
static u64 flushed[RECORDS];

static bool append_some(struct seglog *l, u64 from, u64 to, u64 version)
{
    bool good = true;
    for (u64 n = from; n < to && good; n++) {
        struct help_record r = { .n = n, .version = version, .body = 50000 };
        if (n % 16 == 0)
            r.part = 300000, r.parts = 2;
        good = help_append(l, &r);
    }
    if (!good && errno != ESTALE) /* the part of one has left to make room */
        assert_int_equal(errno, fault.error);
    bool all = seglog_flush(l);
    if (!all)
        assert_int_equal(errno, fault.error);
    for (u64 n = from; n < to && good && all; n++)
        flushed[n] = version;
    return good && all;
}

static void check(struct seglog *l, u64 newest)
{
    bool dropped = seglog_counts(l).dropped > 0;
    for (u64 n = 0; n < RECORDS; n++) {
        i64 found = help_found(l, n);
        assert_true(found >= 0 && (u64)found <= newest);
        assert_true(found == 0 || (u64)found >= flushed[n]);
        assert_true(found > 0 || dropped || flushed[n] == 0);
    }
}

/* Some megabytes, so that segments (of two) are made and sealed; the fault in the middle. */
static bool with_fault(unsigned wait, int error, bool lasting)
{
    memset(flushed, 0, sizeof flushed);
    struct seglog *l = help_log_in_memory(HELP_QUOTA);
    segment_calls.fdatasync = failing_fdatasync;
    assert_true(append_some(l, 0, 10, 1));
    begin(wait, error, lasting);
    bool good = append_some(l, 5, 60, 2);
    assert_true(good || fault.seen);
    if (lasting && fault.seen && error && error != ENOSPC)
        assert_false(append_some(l, 60, 61, 2));
    check(l, 2);
    heal();
    bool seen = fault.seen, dropped;
    assert_true(append_some(l, 30, 80, 3));
    check(l, 3);
    dropped = seglog_counts(l).dropped > 0;
    l = help_log_again(l);
    if (!dropped)
        check(l, 3);
    help_log_end(l);
    return seen;
}

static void each_call(int error, bool lasting)
{
    unsigned wait = 0;
    while (with_fault(wait, error, lasting))
        wait++;
    assert_true(wait > 10); /* there were as many calls to fail */
}

/* slow: as many logs as there are calls. */
static void broken(void **state)
{
    (void)state;
    each_call(EIO, false);
    each_call(EIO, true);
}

/* slow: likewise. */
static void full(void **state)
{
    (void)state;
    each_call(ENOSPC, false);
    each_call(ENOSPC, true);
}

static void read_only(void **state)
{
    (void)state;
    each_call(EROFS, true);
}

static void short_writes(void **state)
{
    (void)state;
    each_call(0, false);
}

/* What was to be in front of a record is lost, or has left: nor is the record kept. */
static void without_its_parts(void **state)
{
    (void)state;
    char bytes[100] = "";
    struct iovec v = { bytes, sizeof bytes };
    struct seglog_place lost, left;
    struct seglog *l = help_log(HELP_SMALL);
    struct seglog_record r = { .key = help_key(1), .part = &lost, .nparts = 1 };
    assert_true(seglog_append_bytes(l, &v, 1, &left) && seglog_flush(l));
    assert_true(seglog_append_bytes(l, &v, 1, &lost));
    begin(0, EIO, true);
    assert_false(seglog_flush(l));
    heal();
    assert_false(seglog_append_record(l, &r));
    assert_int_equal(errno, ESTALE);
    r.part = &left;
    assert_true(seglog_append_record(l, &r) && seglog_flush(l));
    for (u64 n = 0; seglog_counts(l).dropped == 0; n++)
        assert_true(help_append(l, &(struct help_record){ .n = n, .version = 1, .body = 60000 }));
    assert_false(seglog_append_record(l, &r));
    assert_int_equal(errno, ESTALE);
    seglog_close(l);
}

/* As many calls as a flush makes: one that writes, and one that syncs if it has to. */
static bool flush_takes(struct seglog *l, unsigned calls)
{
    begin(calls, EIO, true);
    bool good = seglog_flush(l) && fault.wait == 0;
    heal();
    return good;
}

/* A purge gets onto the disk, at once; those of the second thereafter do not wait for that. */
static void purges_are_synced(void **state)
{
    (void)state;
    struct cache_key key = help_key(1);
    struct seglog *l = help_log(HELP_QUOTA);
    struct help_record r = { .n = 1, .version = 1 };
    segment_calls.fdatasync = failing_fdatasync;
    assert_true(help_append(l, &r) && seglog_flush(l));
    assert_true(help_append(l, &r) && flush_takes(l, 1));
    assert_true(seglog_append_gone(l, &key));
    assert_false(flush_takes(l, 1));
    assert_true(seglog_append_gone(l, &key) && flush_takes(l, 2)); /* nothing was synced yet */
    assert_true(seglog_append_gone(l, &key) && flush_takes(l, 1));
    seglog_close(l);
}

static struct {
    int fd[64];
    unsigned n;
} synced;

static int noting_fdatasync(int fd)
{
    synced.fd[synced.n++ % countof(synced.fd)] = fd;
    return 0;
}

static bool was_synced(const struct segment *s)
{
    for (unsigned i = 0; i < synced.n && i < countof(synced.fd); i++)
        if (synced.fd[i] == segment_fd(s))
            return true;
    return false;
}

/* The segment that record n is in, held. */
static struct segment *segment_with(struct seglog *l, u64 n)
{
    struct seglog_place p;
    assert_true(help_place(l, n, &p));
    return seglog_hold(l, p.segment);
}

/* One that was sealed before the flush that follows, or the last one that the folder is left with:
 * without it the power would bring back what was taken out. */
static void purges_in_a_sealed_segment_are_synced(void **state)
{
    (void)state;
    struct cache_key key = help_key(1000);
    struct seglog *l = help_log(HELP_SMALL);
    segment_calls.fdatasync = noting_fdatasync;
    assert_true(help_append(l, &(struct help_record){ .n = 1, .version = 1 }) && seglog_flush(l));
    struct segment *first = segment_with(l, 1), *last;
    assert_true(seglog_append_gone(l, &key));
    for (u64 n = 2; seglog_is_settled(l); n++)
        assert_true(help_append(l, &(struct help_record){ .n = n, .version = 1, .body = 60000 }));
    assert_false(was_synced(first));
    assert_true(seglog_flush(l) && seglog_is_settled(l) && was_synced(first));
    assert_true(help_append(l, &(struct help_record){ .n = 1, .version = 2 }) && seglog_flush(l));
    assert_true(seglog_append_gone(l, &key));
    last = segment_with(l, 1);
    synced.n = 0;
    seglog_give_back(l);
    assert_true(last != first && was_synced(last));
    seglog_let(&first);
    seglog_let(&last);
    seglog_close(l);
}

static struct seglog *at_work;
static unsigned calls;

/* When the second segment of a load is opened, which is an older one. */
static int removing_open(const char *path, int flags, unsigned mode)
{
    struct cache_key key = help_key(1);
    if (at_work && calls++ == 1)
        assert_int_equal(seglog_remove(at_work, &key), 0);
    return real.open(path, flags, mode);
}

/* What is taken out before it has been read is not found when it has. */
static void taken_out_before_it_is_loaded(void **state)
{
    (void)state;
    const _Atomic bool stop = false;
    struct seglog *l = help_log(HELP_SMALL);
    for (u64 n = 1; n < 80; n++)
        assert_true(help_append(l, &(struct help_record){ .n = n, .version = 1, .body = 60000 }));
    assert_true(seglog_flush(l));
    seglog_close(l);
    at_work = l = help_log_only_opened(HELP_SMALL);
    calls = 0;
    segment_calls.open = removing_open;
    seglog_load(l, &stop);
    at_work = NULL;
    assert_true(calls > 1);
    assert_int_equal(help_found(l, 1), 0);
    assert_int_equal(help_found(l, 2), 1);
    seglog_close(l);
}

static int counting_fallocate(int fd, int mode, off_t at, off_t n)
{
    assert_true(seglog_counts(at_work).bytes + (u64)n <= HELP_SMALL);
    calls++;
    return real.fallocate(fd, mode, at, n);
}

/* The quota is not exceeded for a moment: what leaves does before the next segment is made. */
static void room_is_made_before_it_is_taken(void **state)
{
    (void)state;
    struct seglog *l = help_log(HELP_SMALL);
    at_work = l;
    calls = 0;
    segment_calls.fallocate = counting_fallocate;
    for (u64 n = 0; n < 600; n++)
        assert_true(help_append(l, &(struct help_record){ .n = n, .version = 1, .body = 60000 }));
    assert_true(seglog_flush(l) && seglog_counts(l).dropped > 0 && calls > 10);
    at_work = NULL;
    seglog_close(l);
}

/* The last segment has parts and no record: it leaves once. */
static void given_back_without_a_record(void **state)
{
    (void)state;
    char bytes[100] = "";
    struct iovec v = { bytes, sizeof bytes };
    struct seglog_place p;
    struct seglog *l = help_log(HELP_QUOTA);
    assert_true(seglog_append_bytes(l, &v, 1, &p) && seglog_flush(l));
    assert_int_equal(seglog_counts(l).segments, 1);
    seglog_give_back(l);
    assert_int_equal(seglog_counts(l).segments, 0);
    seglog_close(l);
}

static int set_up(void **state)
{
    (void)state;
    real = segment_calls;
    heal();
    segment_calls = (struct segment_calls){ failing_open, failing_pwrite, real.pread,
                                            failing_fdatasync, failing_fallocate };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segment_calls = real;
    help_log_delete();
    return 0;
}

#define FAULT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(broken),
        FAULT_TEST(full),
        FAULT_TEST(read_only),
        FAULT_TEST(short_writes),
        FAULT_TEST(without_its_parts),
        FAULT_TEST(purges_are_synced),
        FAULT_TEST(purges_in_a_sealed_segment_are_synced),
        FAULT_TEST(given_back_without_a_record),
        FAULT_TEST(taken_out_before_it_is_loaded),
        FAULT_TEST(room_is_made_before_it_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
