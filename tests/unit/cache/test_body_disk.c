/* Bodies that go to the disk as they come, and those that lie there: written, given up in memory,
 * read from either side, and what is left of them when the disk fails. */
#include "cache/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache/disk/checked.h"
#include "cache/disk/disk_inside.h"
#include "core/exchange/xchg.h"

enum { LENGTH = 5 * SEGLOG_PART + 12345, BUDGET = 16 << 20 };

static char dir[] = "/tmp/proxyd-unit-XXXXXX";
static struct disk *disk;
static struct budget budget = { .most = BUDGET };
static char text[LENGTH], got[LENGTH + 100000];

static void say(void *arg, bool bad, const char *line)
{
    (void)arg;
    (void)bad;
    (void)line;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static void open_disk(void)
{
    disk = disk_new(dir, SEGLOG_LEAST, DISK_QUEUE, say, NULL);
    while (!disk_use(disk))
        pause_ms(1);
}

/* Nothing that the tests have begun holds it, or memory of theirs. */
static void close_disk(void)
{
    disk_leave(disk);
    disk_let(disk);
    disk_free(disk);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + i / 251 + i / 65536);
    open_disk();
    return 0;
}

static int tear_down(void **state)
{
    char line[100];
    (void)state;
    if (atomic_load(&budget.used))
        return 1; /* a test has failed: its bodies hold the disk */
    close_disk();
    snprintf(line, sizeof line, "rm -r '%s'", dir);
    return system(line);
}

#define DISK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Appends up to `to`, as fast as the disk takes it. */
static void fill(struct body *b, size_t to)
{
    for (size_t at = (size_t)body_have(b); at < to; at = (size_t)body_have(b)) {
        size_t n = to - at < 30011 ? to - at : 30011;
        while (body_in_memory(b) > 3 << 20)
            pause_ms(1);
        assert_int_equal(body_append(b, (struct slice){ text + at, n }, UINT64_MAX), n);
    }
}

/* What the cache's own write, behind all of them, finds. */
static struct {
    struct disk_write write;
    struct body *body;
    struct seglog_place part[8];
    u32 n;
    bool whole;
    _Atomic bool over;
} last;

static bool last_write(struct disk_write *w, struct seglog *l)
{
    const struct seglog_place *part;
    (void)w;
    (void)l;
    last.whole = body_parts(last.body, &part, &last.n);
    for (u32 i = 0; last.whole && i < last.n; i++)
        last.part[i] = part[i];
    return true;
}

static void last_done(struct disk_write *w, bool good)
{
    (void)w;
    (void)good;
    last.over = true;
}

static void wait_for_last(struct body *b)
{
    memset(&last, 0, sizeof last);
    last.body = b;
    last.write = (struct disk_write){ .write = last_write, .done = last_done, .bytes = 1 };
    assert_true(disk_post(disk, &last.write));
    while (!last.over)
        pause_ms(1);
}

static struct body *begin(u64 length)
{
    struct body *b = body_new(&budget, length);
    assert_non_null(b);
    body_spill(b, disk);
    return b;
}

static struct body *spilled(u64 length)
{
    struct body *b = begin(length);
    fill(b, sizeof text);
    body_end(b, BODY_WHOLE);
    assert_true(body_spill_rest(b));
    wait_for_last(b);
    assert_true(last.whole);
    assert_int_equal(last.n, 6);
    return b;
}

/* To the end of what there is; pieces of files as a sink takes them. */
static size_t read_on(struct source *s, size_t at, bool files, enum flow *end)
{
    struct slice run;
    struct extent e;
    for (;;) {
        size_t n;
        if (files && s->ops->extent(s->self, &e)) {
            n = e.n < 300000 ? e.n : 300000;
            assert_int_equal(pread(e.fd, got + at, n, (off_t)e.at), n);
        } else if ((*end = s->ops->peek(s->self, &run)) == FLOW_OK) {
            n = run.n;
            memcpy(got + at, run.p, n);
        } else {
            return at;
        }
        s->ops->took(s->self, n);
        at += n;
    }
}

static void assert_reads(struct body *b, bool files)
{
    struct reader r;
    enum flow end;
    struct source s = reader_open(&r, b, NULL);
    memset(got, 0, sizeof got);
    assert_int_equal(read_on(&s, 0, files, &end), sizeof text);
    assert_int_equal(end, FLOW_END);
    assert_memory_equal(got, text, sizeof text);
    source_close(&s);
}

/* Of known length and of none; afterwards nothing but its places is in memory. */
static void goes_to_the_disk(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct body *b = spilled(known ? sizeof text : UINT64_MAX);
        assert_true(b->fixed);
        assert_int_equal(body_in_memory(b), 0);
        assert_true(atomic_load(&budget.used) < 2000);
        assert_reads(b, false);
        assert_reads(b, true);
        struct body *again = body_on_disk(&budget, disk, last.part, last.n, sizeof text);
        body_put(b);
        assert_reads(again, true);
        body_put(again);
    }
}

/* A length that ends with a part, and one that has none. */
static void lengths_of_whole_parts(void **state)
{
    (void)state;
    for (u32 parts = 1; parts < 3; parts++) {
        struct body *b = begin(UINT64_MAX);
        fill(b, (size_t)parts * SEGLOG_PART);
        wait_for_last(b);
        assert_false(last.whole);
        body_end(b, BODY_WHOLE);
        assert_true(body_spill_rest(b));
        wait_for_last(b);
        assert_true(last.whole);
        assert_int_equal(last.n, parts);
        assert_true(b->fixed);
        body_put(b);
    }
    struct body *b = begin(UINT64_MAX);
    body_end(b, BODY_WHOLE);
    assert_false(body_spill_rest(b));
    body_put(b);
}

/* Of two who read as it grows one is quick, and one stands still in the middle of the first chunk:
 * it keeps that chunk and no more, and goes on from the disk. */
static void as_it_grows(void **state)
{
    (void)state;
    struct body *b = begin(UINT64_MAX);
    struct reader quick, slow;
    struct source a = reader_open(&quick, b, NULL), z = reader_open(&slow, b, NULL);
    struct slice run;
    enum flow end;
    size_t at = 0;
    fill(b, 10000);
    assert_int_equal(z.ops->peek(z.self, &run), FLOW_OK);
    const char *before = run.p;
    for (size_t to = 100000; to < sizeof text; to += 700001) {
        fill(b, to);
        at = read_on(&a, at, true, &end);
        assert_int_equal(end, FLOW_WAIT);
        assert_int_equal(at, to);
        assert_memory_equal(before, text, 1000); /* whatever has left */
    }
    fill(b, sizeof text);
    body_end(b, BODY_WHOLE);
    assert_true(body_spill_rest(b));
    wait_for_last(b);
    assert_true(b->fixed);
    assert_int_equal(read_on(&a, at, true, &end), sizeof text);
    assert_memory_equal(got, text, sizeof text);
    assert_true(atomic_load(&budget.used) < 100000);
    assert_int_equal(read_on(&z, 0, false, &end), sizeof text);
    assert_int_equal(end, FLOW_END);
    assert_memory_equal(got, text, sizeof text);
    source_close(&a);
    source_close(&z);
    body_put(b);
}

static void ranges(void **state)
{
    (void)state;
    static const struct reader_part part[] = {
        { { "<1>", 3 }, 3 * SEGLOG_PART - 10, 3 * SEGLOG_PART + 10 },
        { { "<2>", 3 }, SEGLOG_PART, 2 * SEGLOG_PART },
        { { "<3>", 3 }, 0, 1 },
        { { "<4>", 3 }, 40000, 4 * SEGLOG_PART + 70000 },
        { { "<5>", 3 }, LENGTH - 1, LENGTH }
    };
    for (unsigned files = 0; files < 2; files++) {
        struct body *b = spilled(sizeof text);
        struct reader r;
        struct source s = reader_open(&r, b, NULL);
        enum flow end;
        reader_choose(&r, part, countof(part), SLICE("<end>"));
        size_t n = read_on(&s, 0, files, &end), at = 0;
        assert_int_equal(end, FLOW_END);
        for (unsigned i = 0; i < countof(part); i++) {
            assert_memory_equal(got + at, part[i].before.p, 3);
            at += 3;
            assert_memory_equal(got + at, text + part[i].from, part[i].to - part[i].from);
            at += part[i].to - part[i].from;
        }
        assert_int_equal(n, at + 5);
        source_close(&s);
        body_put(b);
    }
}

/* Half of it goes as pieces of a file; the text between and what is too short for it does not. */
static void what_is_no_piece_of_a_file(void **state)
{
    (void)state;
    static const struct reader_part part[] = { { { "<1>", 3 }, 0, 100 },
                                               { { "<2>", 3 }, 100, 100000 } };
    struct body *b = spilled(sizeof text);
    struct reader r;
    struct source s = reader_open(&r, b, NULL);
    struct extent e;
    struct slice run;
    reader_choose(&r, part, countof(part), SLICE(""));
    for (unsigned i = 0; i < 3; i++) {
        assert_false(s.ops->extent(s.self, &e));
        assert_int_equal(s.ops->peek(s.self, &run), FLOW_OK);
        assert_int_equal(run.n, i == 1 ? 100 : 3);
        s.ops->took(s.self, run.n);
    }
    assert_true(s.ops->extent(s.self, &e));
    assert_int_equal(e.n, 100000 - 100);
    source_close(&s);
    body_put(b);
}

static void *put(void *body)
{
    body_put(body);
    return NULL;
}

/* Once nobody holds its disk the cache may end, and its budget with it: that has everything back by
 * then. The body's last step is kept waiting here, to see what is left to do before. */
static void lets_go_of_the_disk_last(void **state)
{
    (void)state;
    struct body *b = spilled(sizeof text);
    pthread_t thread;
    pthread_mutex_lock(&disk->lock);
    assert_int_equal(pthread_create(&thread, NULL, put, b), 0);
    for (unsigned ms = 0; ms < 5000 && atomic_load(&budget.used); ms++)
        pause_ms(1);
    u64 left = atomic_load(&budget.used);
    pthread_mutex_unlock(&disk->lock);
    pthread_join(thread, NULL);
    assert_int_equal(left, 0);
}

/* ---- a disk that does not keep up, or fails ---- */

/* It stays in memory as far as it may, half of a small budget, and takes no more then. */
static void a_disk_that_takes_nothing(void **state)
{
    (void)state;
    struct body *b = begin(UINT64_MAX);
    size_t at = 0, n;
    disk_leave(disk);
    while ((n = body_append(b, (struct slice){ text, 100000 }, UINT64_MAX)) == 100000)
        at += n;
    at += n;
    assert_in_range(at, BUDGET / 2 - 2 * CHUNK_MOST, BUDGET / 2);
    body_put(b);
    b = begin(UINT64_MAX);
    assert_int_equal(body_append(b, (struct slice){ text, sizeof text }, UINT64_MAX), sizeof text);
    body_end(b, BODY_WHOLE);
    assert_false(body_spill_rest(b));
    assert_reads(b, true);
    body_put(b);
}

static _Atomic bool may_fail;

static bool fails(struct disk_write *w, struct seglog *l)
{
    (void)w;
    (void)l;
    while (!may_fail)
        pause_ms(1);
    errno = ENOSPC;
    return false;
}

static void failed(struct disk_write *w, bool good)
{
    (void)w;
    assert_false(good);
}

/* What was on its way is in memory still, and all of it can be read. */
static void a_disk_that_fails_in_the_middle(void **state)
{
    (void)state;
    static struct disk_write bad = { .write = fails, .done = failed, .bytes = 1 };
    struct body *b = begin(UINT64_MAX);
    may_fail = false;
    fill(b, 2 * SEGLOG_PART + 5);
    while (body_in_memory(b) > SEGLOG_PART + 5)
        pause_ms(1);
    assert_true(disk_post(disk, &bad));
    assert_int_equal(body_append(b, (struct slice){ text + b->have, 2 * SEGLOG_PART }, UINT64_MAX),
                     2 * SEGLOG_PART);
    may_fail = true;
    while (disk_counts(disk).in_service)
        pause_ms(1);
    size_t at = (size_t)b->have;
    (void)body_append(b, (struct slice){ text + at, sizeof text - at }, UINT64_MAX);
    assert_int_equal(b->have, sizeof text);
    body_end(b, BODY_WHOLE);
    assert_false(body_spill_rest(b));
    assert_true(body_in_memory(b) > 3 * SEGLOG_PART && !b->fixed);
    assert_reads(b, true);
    body_put(b);
}

/* ---- what lies there is not believed ---- */

static void places_that_make_no_body(void **state)
{
    (void)state;
    struct body *b = spilled(sizeof text);
    struct seglog_place p[6];
    memcpy(p, last.part, sizeof p);
    body_put(b);
    assert_null(body_on_disk(&budget, disk, p, 6, sizeof text + 1));
    assert_null(body_on_disk(&budget, disk, p, 5, sizeof text));
    assert_null(body_on_disk(&budget, disk, p, 0, 0));
    assert_null(body_on_disk(&budget, disk, p, UINT32_MAX, UINT64_MAX));
    p[2].segment = 4711;
    assert_null(body_on_disk(&budget, disk, p, 6, sizeof text));
}

static struct worker worker;
static struct engine engine;
static struct xchg x;
static unsigned woken;

static void wake(struct io *io)
{
    (void)io;
    woken++;
}

/* An exchange that does nothing but be woken. */
static void begin_exchange(void)
{
    worker.engine = &engine;
    assert_true(loop_init(&worker.loop, &worker));
    engine.offload = offload_new(2, 10);
    x = (struct xchg){ .worker = &worker, .running = true, .task = { .fd = -1, .on_ready = wake } };
    woken = 0;
}

static void end_exchange(void)
{
    while (worker.jobs)
        loop_turn(&worker.loop, 10);
    offload_end(engine.offload);
    offload_free(engine.offload);
    loop_free(&worker.loop);
}

/* As read_on, where what is not there is read by others meanwhile; how often. */
static size_t read_waiting(struct source *s, enum flow *end, unsigned *waits)
{
    size_t at = 0;
    for (*waits = 0;;) {
        at = read_on(s, at, *waits & 1, end);
        if (*end != FLOW_WAIT || s->ops->fill(s->self) != FLOW_WAIT)
            return at;
        ++*waits;
        for (unsigned before = woken; woken == before;)
            loop_turn(&worker.loop, 10);
    }
}

static void forget_all(void)
{
    for (u32 i = 0; i < last.n; i++)
        checked_forget(seglog_secret(disk_log(disk)), &last.part[i]);
}

static void checked_at_its_first_use(void **state)
{
    (void)state;
    struct body *b = spilled(sizeof text);
    struct reader r;
    enum flow end;
    unsigned waits;
    forget_all();
    begin_exchange();
    for (unsigned again = 0; again < 2; again++) {
        struct source s = reader_open(&r, b, &x);
        assert_int_equal(read_waiting(&s, &end, &waits), sizeof text);
        assert_int_equal(end, FLOW_END);
        assert_memory_equal(got, text, sizeof text);
        assert_int_equal(waits, again ? 0 : 6);
        source_close(&s);
    }
    assert_false(b->bad);
    end_exchange();
    body_put(b);
}

/* Whatever is not what was written is never given, and what stands before it is. */
static void a_part_that_has_changed(void **state)
{
    (void)state;
    struct body *b = spilled(sizeof text);
    struct reader r;
    enum flow end;
    unsigned waits;
    forget_all();
    u64 at = segment_offset(&b->disk->places.place[3]);
    int fd = segment_fd(b->disk->places.segment[3]);
    assert_int_equal(pwrite(fd, "\0\xff\0\xff\0\xff\0\xff", 8, (off_t)at), 8);
    begin_exchange();
    struct source s = reader_open(&r, b, &x);
    assert_int_equal(read_waiting(&s, &end, &waits), 3 * SEGLOG_PART);
    assert_int_equal(end, FLOW_FAULT);
    assert_memory_equal(got, text, 3 * SEGLOG_PART);
    assert_true(b->bad);
    assert_int_equal(disk_counts(disk).read_errors, 1);
    source_close(&s);
    end_exchange();
    body_put(b);
}

/* The system gives up what nobody uses, but for pages that it has on a list of its own just then. */
static void cold(struct body *b)
{
    int fd = segment_fd(b->disk->places.segment[0]);
    u64 at = segment_offset(&b->disk->places.place[0]);
    assert_int_equal(fdatasync(fd), 0);
    for (unsigned tries = 0; page_cached(fd, at, SEGLOG_PART); tries++) {
        assert_true(tries < 1000);
        assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        pause_ms(1);
    }
}

/* Those who wait for it are woken when it has come; who has left meanwhile is not missed. */
static void what_is_not_in_memory(void **state)
{
    (void)state;
    struct body *b = spilled(sizeof text);
    struct reader r, gone;
    struct slice run;
    enum flow end;
    unsigned waits = 0;
    begin_exchange();
    for (unsigned tries = 0; waits == 0; tries++) { /* what is read for the first may be quick */
        assert_true(tries < 100);
        cold(b);
        struct source s = reader_open(&gone, b, &x);
        assert_int_equal(s.ops->peek(s.self, &run), FLOW_WAIT);
        assert_int_equal(s.ops->fill(s.self), FLOW_WAIT);
        source_close(&s);
        s = reader_open(&r, b, &x);
        assert_int_equal(read_waiting(&s, &end, &waits), sizeof text);
        assert_memory_equal(got, text, sizeof text);
        source_close(&s);
    }
    end_exchange();
    body_put(b);
}

/* ---- threads ---- */

static void *reads(void *arg)
{
    struct reader r;
    struct source s = reader_open(&r, arg, NULL);
    enum flow end = FLOW_WAIT;
    struct slice run;
    size_t at = 0;
    while (end != FLOW_END) {
        while ((end = s.ops->peek(s.self, &run)) == FLOW_OK) {
            if (memcmp(run.p, text + at, run.n) != 0)
                abort();
            at += run.n;
            s.ops->took(s.self, run.n);
        }
        if (end == FLOW_FAULT)
            abort();
        pause_ms(1);
    }
    source_close(&s);
    body_put(arg);
    return at == sizeof text ? arg : NULL;
}

static void read_by_several_threads(void **state)
{
    (void)state;
    struct body *b = begin(UINT64_MAX);
    pthread_t t[3];
    void *good;
    for (unsigned i = 0; i < countof(t); i++) {
        body_hold(b);
        pthread_create(&t[i], NULL, reads, b);
    }
    fill(b, sizeof text);
    body_end(b, BODY_WHOLE);
    assert_true(body_spill_rest(b));
    for (unsigned i = 0; i < countof(t); i++) {
        pthread_join(t[i], &good);
        assert_non_null(good);
    }
    wait_for_last(b);
    body_put(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(goes_to_the_disk),
        DISK_TEST(lengths_of_whole_parts),
        DISK_TEST(as_it_grows),
        DISK_TEST(ranges),
        DISK_TEST(what_is_no_piece_of_a_file),
        DISK_TEST(lets_go_of_the_disk_last),
        DISK_TEST(a_disk_that_takes_nothing),
        DISK_TEST(a_disk_that_fails_in_the_middle),
        DISK_TEST(places_that_make_no_body),
        DISK_TEST(checked_at_its_first_use),
        DISK_TEST(a_part_that_has_changed),
        DISK_TEST(what_is_not_in_memory),
        DISK_TEST(read_by_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
