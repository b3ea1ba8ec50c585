/* A body that grows, and those who read it: whole, in ranges, in parts, or cut. */
#include "cache/reader.h"
#include "cache/wake.h"
#include "cache/window.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct budget budget = { .most = 16 << 20 };
static char text[600000], got[700000];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (i * 7 + i / 251) % 26);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return atomic_load(&budget.used) != 0;
}

/* What there is to read now, in pieces of at most `most`; *end: how it ended. */
static size_t read_on(struct source *s, size_t at, size_t most, enum flow *end)
{
    struct slice run;
    while ((*end = s->ops->peek(s->self, &run)) == FLOW_OK) {
        size_t n = run.n < most ? run.n : most;
        assert_true(n > 0 && at + n <= sizeof got);
        memcpy(got + at, run.p, n);
        s->ops->took(s->self, n);
        at += n;
    }
    return at;
}

/* Known or unknown length, read as it grows, in pieces that fit nowhere. */
static void as_it_grows(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct body *b = body_new(&budget, known ? sizeof text : UINT64_MAX);
        struct reader r;
        struct source s = reader_open(&r, b, NULL);
        enum flow end;
        size_t at = 0;
        for (size_t i = 0; i < sizeof text;) {
            size_t n = sizeof text - i < 7919 ? sizeof text - i : 7919;
            assert_int_equal(body_append(b, (struct slice){ text + i, n }, UINT64_MAX), n);
            i += n;
            at = read_on(&s, at, 1000, &end);
            assert_int_equal(end, FLOW_WAIT);
            assert_int_equal(at, i);
        }
        body_end(b, BODY_WHOLE);
        assert_int_equal(read_on(&s, at, 1000, &end), sizeof text);
        assert_int_equal(end, FLOW_END);
        assert_memory_equal(got, text, sizeof text);
        source_close(&s);
        body_put(b);
    }
}

static struct body *whole(void)
{
    struct body *b = body_new(&budget, UINT64_MAX);
    for (size_t i = 0; i < sizeof text; i += 100000)
        assert_int_equal(body_append(b, (struct slice){ text + i, 100000 }, UINT64_MAX), 100000);
    body_end(b, BODY_WHOLE);
    return b;
}

/* In any order, across chunks, with text between. */
static void parts(void **state)
{
    (void)state;
    static const struct reader_part part[] = { { { "<1>", 3 }, 500000, 500010 },
                                               { { "", 0 }, 0, 1 },
                                               { { "<2>", 3 }, 90000, 300000 },
                                               { { "<3>", 3 }, 599999, 600000 } };
    struct body *b = whole();
    struct reader r;
    struct source s = reader_open(&r, b, NULL);
    enum flow end;
    reader_choose(&r, part, countof(part), SLICE("<end>"));
    size_t n = read_on(&s, 0, SIZE_MAX, &end), at = 0;
    assert_int_equal(end, FLOW_END);
    for (unsigned i = 0; i < countof(part); i++) {
        assert_memory_equal(got + at, part[i].before.p, part[i].before.n);
        at += part[i].before.n;
        assert_memory_equal(got + at, text + part[i].from, part[i].to - part[i].from);
        at += part[i].to - part[i].from;
    }
    assert_int_equal(n, at + 5);
    assert_memory_equal(got + at, "<end>", 5);
    source_close(&s);
    body_put(b);
}

/* What there was is given, and then a fault: never an end. */
static void cut(void **state)
{
    (void)state;
    struct body *b = body_new(&budget, 1000);
    struct reader r;
    struct source s = reader_open(&r, b, NULL);
    enum flow end;
    assert_int_equal(body_append(b, (struct slice){ text, 500 }, UINT64_MAX), 500);
    body_end(b, BODY_CUT);
    assert_int_equal(read_on(&s, 0, 100, &end), 500);
    assert_int_equal(end, FLOW_FAULT);
    source_close(&s);
    body_put(b);
}

/* Of one that was given up, who goes on holds the object but not the bytes: they leave with the last
 * reader, and not before, for the first one gives all of them before it goes on otherwise. */
static void given_up(void **state)
{
    (void)state;
    struct body *b = body_new(&budget, sizeof text);
    struct reader r[2];
    struct source s[2] = { reader_open(&r[0], b, NULL), reader_open(&r[1], b, NULL) };
    enum flow end;
    assert_int_equal(body_append(b, (struct slice){ text, 500000 }, UINT64_MAX), 500000);
    atomic_store(&b->resumes, 7);
    body_end(b, BODY_CUT);
    source_close(&s[1]);
    assert_int_equal(read_on(&s[0], 0, 1000, &end), 500000);
    assert_int_equal(end, FLOW_FAULT);
    assert_memory_equal(got, text, 500000);
    assert_true(atomic_load(&budget.used) > 500000);
    source_close(&s[0]);
    assert_true(atomic_load(&budget.used) < 2000);
    s[0] = reader_open(&r[0], b, NULL); /* who had found it before */
    assert_int_equal(read_on(&s[0], 0, 1000, &end), 0);
    assert_int_equal(end, FLOW_FAULT);
    source_close(&s[0]);
    body_put(b);
}

/* What there is of it up to `to`, but a chunk at once. */
static size_t read_to(struct source *s, size_t at, size_t to)
{
    struct slice run;
    while (at < to) {
        assert_int_equal(s->ops->peek(s->self, &run), FLOW_OK);
        size_t n = run.n < to - at ? run.n : to - at;
        memcpy(got + at, run.p, n);
        s->ops->took(s->self, n);
        at += n;
    }
    return at;
}

/* Three chunks: what all have passed leaves, and what one still wants leaves only with him. */
static void window(void **state)
{
    (void)state;
    struct body *b = body_new(&budget, sizeof text);
    struct wake w = { .posted = true }; /* it waits in no list */
    struct reader r[3], late;
    struct source s[3], of_late;
    enum flow end;
    for (unsigned i = 0; i < countof(r); i++)
        s[i] = reader_open(&r[i], b, NULL);
    assert_int_equal(body_append(b, (struct slice){ text, sizeof text - 1 }, UINT64_MAX),
                     sizeof text - 1);
    window_open(b);
    read_to(&s[0], 0, sizeof text - 1);
    read_to(&s[1], 0, 100000);
    assert_false(window_move(b, &w)); /* the third one has not begun */
    read_to(&s[2], 0, 1);
    assert_false(window_move(b, &w));
    assert_true(reader_is_last(&r[1]) && !reader_is_last(&r[0]));
    read_to(&s[1], 100000, CHUNK_MOST + 1);
    read_to(&s[2], 1, CHUNK_MOST + 1);
    assert_true(window_move(b, &w));
    assert_int_equal(body_in_memory(b), sizeof text - 1 - CHUNK_MOST);
    of_late = reader_open(&late, b, NULL); /* who had found it before */
    assert_int_equal(read_on(&of_late, 0, 1000, &end), 0);
    assert_int_equal(end, FLOW_FAULT);
    source_close(&of_late);
    read_to(&s[1], CHUNK_MOST + 1, 2 * CHUNK_MOST + 1);
    assert_false(window_move(b, &w));
    assert_true(window_cut(b));
    assert_false(window_cut(b)); /* the last one is being filled */
    assert_int_equal(body_in_memory(b), sizeof text - 1 - 2 * CHUNK_MOST);
    assert_int_equal(body_append(b, (struct slice){ text + sizeof text - 1, 1 }, UINT64_MAX), 1);
    body_end(b, BODY_WHOLE);
    assert_int_equal(read_on(&s[2], CHUNK_MOST + 1, 1000, &end), CHUNK_MOST + 1);
    assert_int_equal(end, FLOW_FAULT);
    assert_int_equal(read_on(&s[1], 2 * CHUNK_MOST + 1, 1000, &end), sizeof text);
    assert_int_equal(end, FLOW_END);
    assert_memory_equal(got, text, sizeof text);
    assert_int_equal(read_on(&s[0], sizeof text - 1, 1000, &end), sizeof text);
    for (unsigned i = 0; i < countof(r); i++)
        source_close(&s[i]);
    body_put(b);
}

/* Who is lost is waited for no more. */
static void who_is_lost(void **state)
{
    (void)state;
    struct body *b = body_new(&budget, sizeof text);
    struct wake w = { .posted = true };
    struct reader r[2];
    struct source s[2] = { reader_open(&r[0], b, NULL), reader_open(&r[1], b, NULL) };
    enum flow end;
    assert_int_equal(body_append(b, (struct slice){ text, sizeof text }, UINT64_MAX), sizeof text);
    window_open(b);
    read_to(&s[0], 0, 2 * CHUNK_MOST + 1);
    assert_false(window_move(b, &w));
    assert_true(window_cut(b));
    assert_true(window_move(b, &w));
    assert_int_equal(body_in_memory(b), sizeof text - 2 * CHUNK_MOST);
    assert_int_equal(read_on(&s[1], 0, 1000, &end), 0);
    assert_int_equal(end, FLOW_FAULT);
    source_close(&s[0]);
    source_close(&s[1]);
    body_end(b, BODY_CUT);
    body_put(b);
}

/* Slices for those who go on have an eighth more than all that grows. */
static void room_for_who_goes_on(void **state)
{
    (void)state;
    struct budget small = { .most = 8000 };
    atomic_store(&small.used, 4000);
    assert_false(budget_may_grow(&small, 1, GROW_HALF));
    assert_true(budget_may_grow(&small, 1000, GROW_MORE));
    assert_false(budget_may_grow(&small, 1001, GROW_MORE));
}

static void no_more_than_it_may(void **state)
{
    (void)state;
    struct body *b = body_new(&budget, UINT64_MAX);
    assert_int_equal(body_append(b, (struct slice){ text, 1000 }, 700), 700);
    assert_int_equal(body_append(b, (struct slice){ text, 1000 }, 700), 0);
    body_put(b);
    b = body_new(&budget, 300); /* and no more than was announced */
    assert_int_equal(body_append(b, (struct slice){ text, 1000 }, UINT64_MAX), 300);
    body_put(b);
    struct budget small = { .most = 10000 };
    b = body_new(&small, UINT64_MAX);
    assert_true(body_append(b, (struct slice){ text, 20000 }, UINT64_MAX) < 10000);
    assert_true(atomic_load(&small.used) <= 10000);
    body_put(b);
    assert_int_equal(atomic_load(&small.used), 0);
}

static void *reads(void *arg)
{
    struct reader r;
    struct source s = reader_open(&r, arg, NULL);
    enum flow end = FLOW_WAIT;
    struct slice run;
    size_t at = 0;
    while (end != FLOW_END) {
        while ((end = s.ops->peek(s.self, &run)) == FLOW_OK) {
            assert_memory_equal(run.p, text + at, run.n);
            at += run.n;
            s.ops->took(s.self, run.n);
        }
        assert_int_not_equal(end, FLOW_FAULT);
    }
    assert_int_equal(at, sizeof text);
    source_close(&s);
    body_put(arg);
    return NULL;
}

static void read_by_several_threads(void **state)
{
    (void)state;
    struct body *b = body_new(&budget, UINT64_MAX);
    pthread_t t[3];
    for (unsigned i = 0; i < countof(t); i++) {
        body_hold(b);
        pthread_create(&t[i], NULL, reads, b);
    }
    for (size_t i = 0; i < sizeof text; i += 500)
        assert_int_equal(body_append(b, (struct slice){ text + i, 500 }, UINT64_MAX), 500);
    body_end(b, BODY_WHOLE);
    body_put(b);
    for (unsigned i = 0; i < countof(t); i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(as_it_grows, tear_down),
        cmocka_unit_test_teardown(parts, tear_down),
        cmocka_unit_test_teardown(cut, tear_down),
        cmocka_unit_test_teardown(given_up, tear_down),
        cmocka_unit_test_teardown(window, tear_down),
        cmocka_unit_test_teardown(who_is_lost, tear_down),
        cmocka_unit_test(room_for_who_goes_on),
        cmocka_unit_test_teardown(no_more_than_it_may, tear_down),
        cmocka_unit_test_teardown(read_by_several_threads, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
