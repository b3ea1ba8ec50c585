/* What of the memory of a cache has saved most. */
#include "cache/top.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

static struct cache *c;

static int set_up(void **state)
{
    (void)state;
    c = aligned_alloc(CACHE_LINE, sizeof *c);
    memset(c, 0, sizeof *c);
    memory_init(&c->memory, 1 << 20);
    savers_init(&c->savers);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    savers_end(&c->savers);
    memory_end(&c->memory);
    free(c);
    return 0;
}

/* One with a body of five bytes that has saved so many; held. */
static struct object *make(u64 n, const char *url, u64 saved)
{
    struct msg response;
    struct arena a;
    arena_init(&a, 0);
    help_response(&response, &a, 200, "X-A: b\r\n");
    struct object_facts f = { .key = { { n, n << 32 } }, .url = slice_of(url) };
    struct body *body = body_new(&c->memory.budget, 5);
    assert_int_equal(body_append(body, SLICE("bytes"), 5), 5);
    body_end(body, BODY_WHOLE);
    atomic_store(&body->saved, saved);
    struct object *o = object_new(&c->memory.budget, &f, &response, body);
    body_put(body);
    arena_free(&a);
    return o;
}

static void keep(u64 n, const char *url, u64 saved)
{
    struct object *o = make(n, url, saved);
    memory_add(&c->memory, o);
    memory_settle(&c->memory, o);
    object_put(&o);
}

/* As one that lies on disk, and was sent from there. */
static void note(u64 n, const char *url, u64 saved)
{
    struct object *o = make(n, url, 0);
    savers_note(&c->savers, o, saved, 100);
    object_put(&o);
}

static struct slice url_of(const struct saver *r)
{
    return (struct slice){ r->url, r->nurl };
}

/* Of 30 the ten that have saved most; whatever is seen twice stands there once. */
static void those_that_have_saved_most(void **state)
{
    (void)state;
    struct top t = { 0 };
    top_of(c, 0, &t);
    assert_int_equal(t.n, 0);
    for (u64 i = 0; i < 30; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://h.test/%llu", (unsigned long long)i);
        keep(i + 1, url, i * 7 % 30 * 100); /* each of 0 to 29 once */
    }
    top_of(c, 0, &t);
    top_of(c, 0, &t);
    assert_int_equal(t.n, TOP_MOST);
    for (unsigned i = 0; i < t.n; i++) {
        assert_int_equal(t.row[i].saved, (29 - i) * 100);
        assert_int_equal(t.row[i].bytes, 5);
    }
    assert_true(slice_is(url_of(&t.row[0]), "http://h.test/17"));
}

static void what_has_saved_nothing_is_not_among_them(void **state)
{
    (void)state;
    struct top t = { 0 };
    keep(1, "http://h.test/", 0);
    keep(2, "http://h.test/a", 1);
    top_of(c, 0, &t);
    assert_int_equal(t.n, 1);
}

static void a_url_is_shown_without_its_query_and_cut(void **state)
{
    (void)state;
    struct top t = { 0 };
    char url[SAVER_URL + 100];
    memset(url, 'x', sizeof url - 1);
    url[sizeof url - 1] = 0;
    keep(1, url, 3);
    url[SAVER_URL] = 0;
    keep(2, url, 2);
    keep(3, "http://h.test/a?key=secret", 1);
    top_of(c, 0, &t);
    assert_int_equal((int)t.row[0].nurl, SAVER_URL + sizeof "…" - 1);
    assert_true(slice_is(url_of(&t.row[1]), url));
    assert_true(slice_is(url_of(&t.row[2]), "http://h.test/a?…"));
}

/* Each use adds to it; one that saves much stays, however many come that save little. */
static void what_lies_on_disk(void **state)
{
    (void)state;
    struct top t = { 0 };
    keep(1, "http://h.test/memory", 500);
    for (u64 i = 0; i < 10 * SAVERS; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://h.test/%llu", (unsigned long long)i);
        note(1000 + i, url, 10);
        if (i % 10 == 0)
            note(2, "http://h.test/disk?x", 20);
    }
    top_of(c, 0, &t);
    assert_int_equal(t.n, TOP_MOST);
    assert_true(slice_is(url_of(&t.row[0]), "http://h.test/disk?…"));
    assert_int_equal(t.row[0].saved, 20 * SAVERS);
    assert_true(slice_is(url_of(&t.row[1]), "http://h.test/memory"));
    for (unsigned i = 2; i < t.n; i++)
        assert_int_equal(t.row[i].saved, 10);
}

#define TOP_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOP_TEST(those_that_have_saved_most),
        TOP_TEST(what_has_saved_nothing_is_not_among_them),
        TOP_TEST(a_url_is_shown_without_its_query_and_cut),
        TOP_TEST(what_lies_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
