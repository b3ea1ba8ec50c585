/* The writer thread: everything arrives, in order and in whole lines; who does not read holds up
 * nobody but himself; what was lost is reported. */
#include "core/report/log_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/stat.h"
#include "core/report/logrec.h"

static struct log_writer *writer;
static int access_end, error_end; /* what the test reads */
static int access_fd, error_fd;
static char area[1 << 22];

/* As stdout: whose descriptors stay the test's. */
static struct log_set *set_of(int access, int error)
{
    struct log_set *s = calloc(1, sizeof *s);
    s->access[0] = (struct log_place){ .to = LOG_STDOUT, .fd = access };
    s->error = (struct log_place){ .to = LOG_STDOUT, .fd = error };
    s->naccess = 1;
    return s;
}

static void start(u32 rings)
{
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    access_end = pair[0];
    access_fd = pair[1];
    assert_int_equal(pipe(pair), 0);
    error_end = pair[0];
    error_fd = pair[1];
    writer = log_writer_new(set_of(access_fd, error_fd), rings);
    log_writer_start(writer);
}

static void stop(void)
{
    log_writer_stop(writer);
    close(access_fd), close(error_fd);
}

static bool put_error(struct ring *r, const char *text)
{
    size_t n = strlen(text);
    struct error_record *e = ring_reserve(r, (u32)(sizeof *e + n));
    if (e == NULL)
        return false;
    memset(e, 0, sizeof *e);
    e->head.kind = LOG_ERROR;
    e->head.level = LEVEL_INFO;
    e->head.wall_us = 1000000;
    e->head.length[0] = (u16)n;
    memcpy(e + 1, text, n);
    ring_commit(r, (u32)(sizeof *e + n));
    return true;
}

static void put_access(struct ring *r, u64 id)
{
    struct access_record *a = ring_reserve(r, sizeof *a);
    assert_non_null(a);
    memset(a, 0, sizeof *a);
    a->head.kind = LOG_ACCESS;
    a->head.wall_us = 1000000;
    a->id = id;
    ring_commit(r, sizeof *a);
}

/* Everything up to the end of the file. */
static const char *rest_of(int fd)
{
    size_t have = 0;
    ssize_t n;
    while ((n = read(fd, area + have, sizeof area - 1 - have)) > 0)
        have += (size_t)n;
    close(fd);
    area[have] = 0;
    return area;
}

static void *read_errors(void *unused)
{
    (void)unused;
    (void)rest_of(error_end);
    return NULL;
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void each_to_its_place(void **state)
{
    (void)state;
    start(2);
    put_access(log_writer_ring(writer, 0), 0x11);
    assert_true(put_error(log_writer_ring(writer, 1), "one"));
    assert_true(put_error(log_writer_ring(writer, 1), "two"));
    log_writer_wake(writer, false);
    stop();
    const char *said = rest_of(access_end);
    assert_int_equal(lines_of(said), 1);
    assert_non_null(strstr(said, "id=0000000000000011\n"));
    said = rest_of(error_end);
    assert_int_equal(lines_of(said), 2);
    assert_true(strstr(said, "info: one\n") < strstr(said, "info: two\n"));
}

/* A sleeping writer is woken; the line does not wait for the next one. */
static void woken_when_something_comes(void **state)
{
    (void)state;
    char line[100];
    start(1);
    usleep(30000);
    assert_true(put_error(log_writer_ring(writer, 0), "hello"));
    log_writer_wake(writer, false);
    assert_true(read(error_end, line, sizeof line) > 20);
    stop();
    close(access_end), close(error_end);
}

static void more_than_a_batch(void **state)
{
    (void)state;
    char text[400];
    start(1);
    close(access_end);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_true(fcntl(error_fd, F_SETPIPE_SZ, 1 << 20) > 0);
    for (int i = 0; i < 1500; i++)
        assert_true(put_error(log_writer_ring(writer, 0), text));
    log_writer_wake(writer, true);
    stop();
    const char *said = rest_of(error_end);
    assert_int_equal(lines_of(said), 1500);
    for (const char *p = said; *p; p = strchr(p, '\n') + 1)
        assert_memory_equal(strchr(p, '\n') - 2, "xx", 2);
}

/* Nobody reads: the ring fills, records are dropped and counted, no producer ever waits. Once
 * somebody reads, whole lines arrive, and how many are missing. */
static void a_full_pipe(void **state)
{
    (void)state;
    char text[1000];
    start(1);
    close(access_end);
    struct ring *r = log_writer_ring(writer, 0);
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = 0;
    unsigned put = 0, lost = 0;
    for (int i = 0; i < 4000; i++) {
        if (put_error(r, text))
            put++;
        else
            lost++;
        if (i == 500) {
            log_writer_wake(writer, true);
            usleep(10000); /* it takes what it can and is stuck in the pipe */
        }
    }
    assert_true(lost > 500 && put > 900);
    pthread_t id;
    assert_int_equal(pthread_create(&id, NULL, read_errors, NULL), 0);
    log_writer_wake(writer, true);
    stop();
    pthread_join(id, NULL);
    const char *said = area;
    unsigned told = 0, whole = 0;
    for (const char *p = said; *p; p = strchr(p, '\n') + 1) {
        unsigned long n;
        if (sscanf(p, "proxyd: the log writer fell behind: %lu lines lost", &n) == 1)
            told += (unsigned)n;
        else
            whole++;
    }
    assert_int_equal(told, lost);
    assert_int_equal(whole, put);
}

static bool wait_for(enum stat_id s, u64 value)
{
    for (int i = 0; i < 1000 && stat_sum(s) != value; i++)
        usleep(5000);
    return stat_sum(s) == value;
}

/* A full disk: what is lost is counted, and reported once for all that follows soon; the rest of it
 * at the end. */
static void a_log_that_cannot_be_written(void **state)
{
    (void)state;
    u64 lost = stat_sum(STAT_log_lines_lost_total);
    int pair[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0 && pipe(pair) == 0);
    writer = log_writer_new(set_of(full, pair[1]), 1);
    for (int i = 0; i < 3; i++)
        put_access(log_writer_ring(writer, 0), 1);
    log_writer_start(writer);
    assert_true(wait_for(STAT_log_lines_lost_total, lost + 3));
    for (u64 i = 1; i <= 4; i++) {
        put_access(log_writer_ring(writer, 0), 1);
        log_writer_wake(writer, true);
        assert_true(wait_for(STAT_log_lines_lost_total, lost + 3 + i));
    }
    log_writer_stop(writer);
    close(full), close(pair[1]);
    assert_string_equal(
        rest_of(pair[0]),
        "proxyd: the access log cannot be written: No space left on device: 3 lines lost\n"
        "proxyd: the access log cannot be written: No space left on device: 4 lines lost\n");
}

/* Losses of the error log are reported on stderr. */
static void an_error_log_that_cannot_be_written(void **state)
{
    (void)state;
    int pair[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC), before = dup(STDERR_FILENO);
    assert_true(full >= 0 && before >= 0 && pipe(pair) == 0);
    writer = log_writer_new(set_of(-1, full), 1);
    assert_true(put_error(log_writer_ring(writer, 0), "one"));
    dup2(pair[1], STDERR_FILENO);
    log_writer_start(writer);
    log_writer_stop(writer);
    dup2(before, STDERR_FILENO);
    close(before), close(full), close(pair[1]);
    assert_string_equal(
        rest_of(pair[0]),
        "proxyd: the error log cannot be written: No space left on device: 1 lines lost\n");
}

static void to_nowhere(void **state)
{
    (void)state;
    writer = log_writer_new(NULL, 1);
    log_writer_start(writer);
    for (int i = 0; i < 1000; i++)
        put_access(log_writer_ring(writer, 0), 1);
    log_writer_wake(writer, true);
    log_writer_stop(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_to_its_place),
        cmocka_unit_test(woken_when_something_comes),
        cmocka_unit_test(more_than_a_batch),
        cmocka_unit_test(a_full_pipe),
        cmocka_unit_test(a_log_that_cannot_be_written),
        cmocka_unit_test(an_error_log_that_cannot_be_written),
        cmocka_unit_test(to_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
