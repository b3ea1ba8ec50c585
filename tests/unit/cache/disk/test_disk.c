/* The writer's thread: what is posted is written in order, refused when too much waits; a folder that
 * is another's, and a disk that fails, are left alone and tried again; and a purge is never lost. */
#include "cache/disk/disk.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache/disk/segment.h"
#include "tests/unit/cache/help_log.h"

enum { WAIT_US = 5000000 };

static struct disk *d;
static _Atomic unsigned told, begun, written, ended, good;
static _Atomic bool shut; /* a write waits */
static _Atomic int fails; /* errno of a write */
static unsigned order[8];

struct one {
    struct disk_write write;
    unsigned n;
};

static void say(void *arg, bool bad, const char *line)
{
    (void)arg;
    (void)bad;
    assert_non_null(strstr(line, "/"));
    told++;
}

static bool until(bool (*holds)(void))
{
    for (unsigned us = 0; us < WAIT_US && !holds(); us += 1000)
        usleep(1000);
    return holds();
}

static bool do_write(struct disk_write *w, struct seglog *l)
{
    struct one *o = container_of(w, struct one, write);
    assert_non_null(l);
    begun++;
    while (shut)
        usleep(1000);
    errno = fails;
    if (fails)
        return false;
    order[written++ % countof(order)] = o->n;
    return true;
}

static void do_done(struct disk_write *w, bool is_good)
{
    good += is_good;
    ended++;
    free(container_of(w, struct one, write));
}

static struct disk_write *make(unsigned n, u32 bytes)
{
    struct one *o = calloc(1, sizeof *o);
    o->write = (struct disk_write){ .write = do_write, .done = do_done, .bytes = bytes };
    o->n = n;
    return &o->write;
}

static bool post(unsigned n, u32 bytes)
{
    struct disk_write *w = make(n, bytes);
    bool taken = disk_post(d, w);
    if (!taken)
        free(container_of(w, struct one, write));
    return taken;
}

static bool in_service(void)
{
    return disk_counts(d).in_service;
}
static bool out_of_service(void)
{
    return !disk_counts(d).in_service;
}
static bool idle(void)
{
    return disk_counts(d).queued_bytes == 0;
}
static bool was_told(void)
{
    return told > 0;
}
static bool has_begun(void)
{
    return begun > 0;
}
static bool has_left(void)
{
    return disk_left(d);
}

static int set_up(void **state)
{
    (void)state;
    told = begun = written = ended = good = 0;
    shut = false;
    fails = 0;
    struct seglog *l = help_log(HELP_QUOTA); /* makes the folder */
    if (l)
        seglog_close(l);
    d = disk_new(help_log_folder(), HELP_QUOTA, 1000, say, NULL);
    return l == NULL || !until(in_service);
}

static int tear_down(void **state)
{
    (void)state;
    if (d) {
        disk_leave(d);
        disk_free(d);
    }
    d = NULL;
    help_log_delete();
    return 0;
}

static void what_is_posted_is_written_in_order(void **state)
{
    (void)state;
    assert_true(disk_use(d));
    for (unsigned i = 0; i < 5; i++)
        assert_true(post(i, 100));
    disk_let(d);
    assert_true(until(idle));
    assert_int_equal(good, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(order[i], i);
}

static void what_is_too_much_is_refused(void **state)
{
    (void)state;
    shut = true;
    assert_true(post(0, 600));
    assert_false(post(1, 401));
    assert_true(post(2, 400));
    assert_int_equal(disk_counts(d).refused, 1);
    assert_true(disk_post_always(d, make(3, 100)));
    shut = false;
    assert_true(until(idle));
    assert_int_equal(good, 3);
}

static void outlasts(int error)
{
    fails = error;
    assert_true(disk_post_always(d, make(1, 10)));
    assert_true(until(out_of_service));
    assert_false(post(2, 10));
    assert_true(disk_post_always(d, make(3, 10)));
    assert_int_equal(ended, 0);
    assert_int_equal(told, 1);
    assert_true(disk_use(d)); /* what is there is read */
    disk_let(d);
    fails = 0; /* they are tried once more at the end */
    disk_leave(d);
    disk_free(d);
    d = NULL;
    assert_int_equal(ended, 2);
}

static void a_purge_outlasts_a_failure(void **state)
{
    (void)state;
    outlasts(ENOSPC);
}

/* For which another write is given up alone. */
static void a_purge_outlasts_a_want_of_memory(void **state)
{
    (void)state;
    outlasts(ENOMEM);
}

static bool write_record(struct disk_write *w, struct seglog *l)
{
    (void)w;
    return help_append(l, &(struct help_record){ .n = 1, .version = 1 });
}

static enum seglog_standing standing_of_it(struct seglog *l)
{
    struct cache_key key = help_key(1);
    struct seglog_place p;
    assert_true(help_place(l, 1, &p));
    return seglog_standing(l, &key, &p, SLICE("http://h.test/1/x"), SLICE(""));
}

static ssize_t failing_pwrite(int fd, const void *p, size_t n, off_t at)
{
    (void)fd, (void)p, (void)n, (void)at;
    errno = EIO;
    return -1;
}

/* When a purge is lost whatever is there is asked about before it is used, at once; and though it
 * cannot be written then, and the process ends before it is tried again, by the next one, too. */
static void a_lost_purge_makes_all_stale(void **state)
{
    (void)state;
    const struct segment_calls real = segment_calls;
    struct disk_write *w = make(1, 10);
    w->write = write_record;
    assert_true(disk_post(d, w) && until(idle));
    assert_int_equal(standing_of_it(disk_log(d)), SEGLOG_STANDS);
    segment_calls.pwrite = failing_pwrite;
    disk_doubt(d);
    assert_true(until(out_of_service));
    assert_int_equal(standing_of_it(disk_log(d)), SEGLOG_STALE);
    segment_calls = real;
    disk_leave(d);
    disk_free(d);
    d = NULL;
    struct seglog *l = help_log(HELP_QUOTA);
    assert_int_equal(standing_of_it(l), SEGLOG_STALE);
    seglog_close(l);
}

static void one_that_is_refused_for_itself_fails_alone(void **state)
{
    (void)state;
    shut = true;
    assert_true(post(0, 10));
    fails = EOVERFLOW;
    assert_true(post(1, 10));
    shut = false;
    assert_true(until(idle));
    assert_int_equal(good, 0);
    assert_true(in_service());
}

static void a_folder_that_is_taken_is_waited_for(void **state)
{
    (void)state;
    struct disk *first = d;
    d = disk_new(help_log_folder(), HELP_QUOTA, 1000, say, NULL);
    assert_true(until(was_told));
    assert_false(disk_use(d));
    assert_true(disk_post_always(d, make(7, 10))); /* until it is open */
    assert_int_equal(written, 0);
    assert_true(disk_use(first));
    disk_leave(first);
    assert_false(disk_use(first));
    assert_true(until(in_service)); /* though somebody may still read there */
    assert_int_equal(written, 1);   /* before anything is found */
    assert_false(disk_left(first));
    disk_let(first);
    disk_free(first);
    assert_int_equal(told, 2);
}

static void what_is_queued_is_written_before_the_end(void **state)
{
    (void)state;
    shut = true;
    for (unsigned i = 0; i < 3; i++)
        assert_true(post(i, 10));
    disk_leave(d);
    assert_false(post(9, 10));
    shut = false;
    assert_true(until(has_left));
    assert_int_equal(good, 3);
}

static void in_a_hurry_purges_alone_are_written(void **state)
{
    (void)state;
    shut = true;
    assert_true(post(0, 10));
    assert_true(until(has_begun));
    for (unsigned i = 1; i < 3; i++)
        assert_true(post(i, 10));
    assert_true(disk_post_always(d, make(3, 10)));
    disk_leave(d);
    disk_hurry(d);
    shut = false;
    assert_true(until(has_left));
    assert_int_equal(ended, 4);
    assert_int_equal(good, 2);
    assert_int_equal(order[0], 0);
    assert_int_equal(order[1], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_posted_is_written_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_much_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_purge_outlasts_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_purge_outlasts_a_want_of_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_purge_makes_all_stale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_refused_for_itself_fails_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_taken_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_queued_is_written_before_the_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(in_a_hurry_purges_alone_are_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
