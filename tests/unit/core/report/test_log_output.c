/* A file that takes half a line (its size is limited here, as a full disk limits it): the line is
 * finished once there is room, or left torn with a newline behind it and counted. */
#include "core/report/log_output.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static struct stats stats;
static struct log_output out;
static struct rlimit before;
static char path[] = "/tmp/proxyd-log-XXXXXX";
static char content[4096];

static void room(rlim_t bytes)
{
    struct rlimit l = { bytes, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    close(mkstemp(path));
    memset(&stats, 0, sizeof stats);
    out = log_output_new("access", open(path, O_WRONLY | O_APPEND), &stats);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    room(before.rlim_cur);
    close(out.fd);
    log_output_free(&out);
    unlink(path);
    return 0;
}

static void put(const char *lines)
{
    text_add(&out.text, slice_of(lines));
    log_output_flush(&out);
}

static const char *file(void)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, content, sizeof content - 1);
    content[n > 0 ? n : 0] = 0;
    close(fd);
    return content;
}

static u64 count(enum stat_id s)
{
    return atomic_load(&stats.value[s]);
}

static void finished_once_there_is_room(void **state)
{
    (void)state;
    room(13);
    put("first 1\nsecond 2\nthird 3\n");
    assert_string_equal(file(), "first 1\nsecon");
    assert_int_equal(count(STAT_log_lines_lost_total), 1); /* the third */
    put("fourth 4\n");
    room(15);
    put("fifth 5\n"); /* some room, not enough */
    assert_string_equal(file(), "first 1\nsecond ");
    room(RLIM_INFINITY);
    put("sixth 6\n");
    assert_string_equal(file(), "first 1\nsecond 2\nsixth 6\n");
    assert_int_equal(count(STAT_log_lines_lost_total), 3);
    assert_int_equal(count(STAT_log_lines_torn_total), 0);
    assert_int_equal(out.unwritten, 3);
}

/* The end of the room at the end of a line, or before its newline alone. */
static void at_the_edges(void **state)
{
    (void)state;
    room(8);
    put("first 1\nsecond 2\n");
    room(16);
    put("third 3\n");
    room(23);
    put("fourth\n");
    put("fifth\n");
    assert_string_equal(file(), "first 1\nthird 3\nfourth\n");
    room(29);
    put("sixth 6\n");
    assert_string_equal(file(), "first 1\nthird 3\nfourth\nsixth ");
    room(30);
    put("");
    room(RLIM_INFINITY);
    put("");
    assert_string_equal(file(), "first 1\nthird 3\nfourth\nsixth 6\n");
    assert_int_equal(count(STAT_log_lines_torn_total), 0);
    assert_int_equal(count(STAT_log_lines_lost_total), 2);
}

/* Truncated to make room: half a line at the start of the file would be worse than none. */
static void a_file_that_was_emptied(void **state)
{
    (void)state;
    room(5);
    put("first 1\n");
    assert_int_equal(truncate(path, 0), 0);
    room(RLIM_INFINITY);
    put("second 2\n");
    assert_string_equal(file(), "second 2\n");
    assert_int_equal(count(STAT_log_lines_torn_total), 1);
}

static void a_file_that_somebody_else_wrote_to(void **state)
{
    (void)state;
    room(5);
    put("first 1\n");
    room(RLIM_INFINITY);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "xyz", 3), 3);
    close(fd);
    put("second 2\n");
    assert_string_equal(file(), "firstxyz\nsecond 2\n");
    assert_int_equal(count(STAT_log_lines_torn_total), 1);
}

static void a_file_found_torn(void **state)
{
    (void)state;
    room(5);
    put("first 1\n");
    log_output_free(&out); /* the end, with half a line */
    assert_int_equal(count(STAT_log_lines_torn_total), 1);
    out = log_output_new("access", out.fd, &stats);
    assert_int_equal(count(STAT_log_lines_torn_total), 2);
    put("second 2\n"); /* still no room, not even for the newline */
    room(RLIM_INFINITY);
    put("third 3\n");
    assert_string_equal(file(), "first\nthird 3\n");
    log_output_free(&out);
    out = log_output_new("access", out.fd, &stats);
    put("fourth 4\n");
    assert_string_equal(file(), "first\nthird 3\nfourth 4\n");
    assert_int_equal(count(STAT_log_lines_torn_total), 2);
}

/* Renamed, and opened again by its name. */
static int another_file(char *second)
{
    snprintf(second, 64, "%s.2", path);
    return open(second, O_WRONLY | O_APPEND | O_CREAT, 0600);
}

static void goes_on_in_another_file(void **state)
{
    (void)state;
    char second[64];
    int fd = another_file(second), old = out.fd;
    text_add(&out.text, SLICE("first 1\n"));
    assert_true(log_output_go_on(&out, fd));
    put("second 2\n");
    assert_string_equal(file(), "first 1\n");
    close(old);
    unlink(second);
}

/* The same file again: the line that stands half in it is finished there. */
static void goes_on_in_the_same_file(void **state)
{
    (void)state;
    int again = open(path, O_WRONLY | O_APPEND), old = out.fd;
    room(5);
    put("first 1\n");
    assert_false(log_output_go_on(&out, again));
    close(old);
    room(RLIM_INFINITY);
    put("second 2\n");
    assert_string_equal(file(), "first 1\nsecond 2\n");
    assert_int_equal(count(STAT_log_lines_torn_total), 0);
}

/* What the old one cannot take any more is not written into the new one. */
static void leaves_half_a_line_behind(void **state)
{
    (void)state;
    char second[64];
    int fd = another_file(second), old = out.fd;
    u64 torn = atomic_load(&out.counts->torn);
    assert_int_equal(write(fd, "1234\n", 5), 5); /* as long as the old one will be */
    room(5);
    put("first 1\n");
    assert_true(log_output_go_on(&out, fd));
    room(RLIM_INFINITY);
    put("second 2\n");
    assert_string_equal(file(), "first");
    assert_int_equal(lseek(fd, 0, SEEK_END), 14);
    assert_int_equal(count(STAT_log_lines_torn_total), 1);
    assert_int_equal(atomic_load(&out.counts->torn), torn + 1);
    close(old);
    unlink(second);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finished_once_there_is_room), TEST(at_the_edges),
        TEST(a_file_that_was_emptied),     TEST(a_file_that_somebody_else_wrote_to),
        TEST(a_file_found_torn),           TEST(goes_on_in_another_file),
        TEST(goes_on_in_the_same_file),    TEST(leaves_half_a_line_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
