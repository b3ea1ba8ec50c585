/* What is kept in memory: found, bounded, and given up in the right order, by several threads. */
#include "cache/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cache/help_message.h"

enum { MOST = 1 << 20 };

static struct memory *m;
static struct arena arena;
static bool at_once; /* bodies come with their bytes, in one block, and are kept in one step */

static int set_up(void **state)
{
    (void)state;
    m = aligned_alloc(CACHE_LINE, sizeof *m);
    memset(m, 0, sizeof *m);
    memory_init(m, MOST);
    at_once = false;
    arena_init(&arena, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memory_end(m);
    u64 left = atomic_load(&m->budget.used), objects = atomic_load(&m->objects);
    free(m);
    arena_free(&arena);
    return left != 0 || objects != 0;
}

static struct cache_key key_of(u64 n)
{
    u64 mixed = (n + 1) * 0x9e3779b97f4a7c15u;
    return (struct cache_key){ { mixed, mixed ^ mixed >> 29 } };
}

/* Held; NULL: there was no room. */
static struct object *make(u64 n, size_t size, u64 variant, struct slice vary)
{
    char url[64], bytes[4096] = "x";
    struct msg response;
    struct arena a;
    snprintf(url, sizeof url, "http://h.test/%llu/x", (unsigned long long)n);
    arena_init(&a, 0);
    help_response(&response, &a, 200, "X-A: b\r\n");
    struct object_facts f = {
        .key = key_of(n), .variant = variant, .vary = vary, .url = slice_of(url)
    };
    struct body *body = at_once ? body_whole(&m->budget, (struct slice){ bytes, size })
                                : body_new(&m->budget, size);
    struct object *o = object_new(&m->budget, &f, &response, body);
    size_t part;
    for (size_t at = 0; o && !at_once && at < size; at += part) {
        part = size - at < sizeof bytes ? size - at : sizeof bytes;
        if (body_append(body, (struct slice){ bytes, part }, size) < part)
            object_put(&o);
    }
    if (body && !at_once)
        body_end(body, o ? BODY_WHOLE : BODY_CUT);
    if (body)
        body_put(body);
    arena_free(&a);
    return o;
}

static bool keep(u64 n, size_t size)
{
    struct object *o = make(n, size, 0, SLICE(""));
    if (o == NULL)
        return false;
    if (at_once)
        memory_keep(m, o);
    else
        memory_add(m, o);
    memory_settle(m, o); /* once at most */
    object_put(&o);
    return true;
}

static bool has(u64 n)
{
    struct cache_key key = key_of(n);
    struct object *o = memory_find(m, &key, NULL);
    bool found = o != NULL;
    object_put(&o);
    return found;
}

static void found_and_removed(void **state)
{
    (void)state;
    assert_false(has(1));
    assert_true(keep(1, 100) && keep(2, 100) && keep(3, 0));
    assert_true(has(1) && has(2) && has(3));
    struct cache_key key = key_of(2);
    assert_int_equal(memory_remove_key(m, &key), 1);
    assert_int_equal(memory_remove_key(m, &key), 0);
    assert_int_equal(memory_remove_url(m, SLICE("http://h.test/3"), URL_WHOLE), 0);
    assert_int_equal(memory_remove_url(m, SLICE("http://h.test/3"), URL_PREFIX), 1);
    assert_true(has(1) && !has(2) && !has(3));
}

static u32 indexed(void)
{
    u32 n = 0;
    for (unsigned i = 0; i < MEMORY_SHARDS; i++)
        n += m->shard[i].index.n;
    return n;
}

/* All of it, whatever it is for, and a larger one than there is room for is refused. */
static void bounded(void **state)
{
    (void)state;
    for (u64 n = 0; n < 3000; n++) {
        assert_true(keep(n, 100 + n % 7 * 1000));
        assert_true(atomic_load(&m->budget.used) <= MOST);
    }
    assert_true(atomic_load(&m->budget.used) > MOST - MOST / 50);
    assert_true(atomic_load(&m->evictions) > 1000);
    assert_int_equal(indexed(), atomic_load(&m->objects)); /* by which the tables grow */
    assert_false(keep(9999, MOST));
    memory_resize(m, MOST / 4);
    assert_true(atomic_load(&m->budget.used) <= MOST / 4);
}

/* Half of the memory at most grows, or is held though it is kept no more: then nothing grows. */
static void what_is_held_and_not_kept(void **state)
{
    (void)state;
    struct object *held[2000];
    unsigned n = 0;
    for (u64 kept = 0; kept < 300; kept++)
        assert_true(keep(1000 + kept, 2000));
    while (n < 100 && (held[n] = make(n, 2000, 0, SLICE(""))) != NULL) { /* kept, then purged */
        memory_add(m, held[n]);
        memory_settle(m, held[n]);
        assert_true(memory_remove(m, held[n++]));
    }
    while (n < countof(held) && (held[n] = make(n, 2000, 0, SLICE(""))) != NULL) /* never kept */
        n++;
    assert_in_range(n, MOST / 2 / 3000, MOST / 2 / 2000);
    assert_true(has(1299));
    assert_true(atomic_load(&m->objects) > 150);
    while (n)
        object_put(&held[--n]);
    assert_true(keep(5000, 2000));
}

/* What is kept at once costs what it takes, and is bounded as the others are while it is not kept. */
static void kept_at_once(void **state)
{
    (void)state;
    struct object *held[2000];
    unsigned n = 0;
    at_once = true;
    for (u64 i = 0; i < 3000; i++) {
        assert_true(keep(1000 + i, 100 + i % 4 * 1000));
        assert_int_equal(atomic_load(&m->budget.kept), atomic_load(&m->budget.used));
        assert_true(atomic_load(&m->budget.used) <= MOST);
    }
    assert_true(keep(1000, 4000) && keep(1000, 10)); /* in its own place */
    assert_int_equal(atomic_load(&m->budget.kept), atomic_load(&m->budget.used));
    while (n < countof(held) && (held[n] = make(n, 2000, 0, SLICE(""))) != NULL)
        n++;
    u64 not_kept = atomic_load(&m->budget.used) - atomic_load(&m->budget.kept);
    assert_in_range(not_kept, MOST / 2 - 4000, MOST / 2 + 1000); /* by the last one's head */
    while (n)
        object_put(&held[--n]);
}

/* What somebody still sends counts, and when all is held nothing more is kept. */
static void what_is_held_counts(void **state)
{
    (void)state;
    struct object *held[2000];
    unsigned n = 0;
    while (n < countof(held) && (held[n] = make(n, 2000, 0, SLICE(""))) != NULL) {
        memory_add(m, held[n]);
        memory_settle(m, held[n++]);
    }
    assert_in_range(n, MOST / 3000, MOST / 2000);
    assert_true(atomic_load(&m->budget.used) <= MOST);
    while (n)
        object_put(&held[--n]);
    assert_true(keep(5000, 2000));
}

/* What is asked for again and again outlives any number of things that are asked for once. */
static void a_scan_takes_nothing_popular(void **state)
{
    (void)state;
    for (u64 n = 0; n < 100; n++)
        assert_true(keep(n, 1000) && has(n) && has(n));
    for (u64 n = 1000; n < 20000; n++) {
        assert_true(keep(n, 1000));
        if (n % 100 == 0)
            for (u64 k = 0; k < 100; k++)
                assert_true(has(k));
    }
}

/* One that comes back soon after it has left goes to the main queue at once, and stays. */
static void a_ghost_comes_back(void **state)
{
    (void)state;
    struct cache_key key = key_of(1);
    assert_true(keep(1, 1000));
    for (u64 n = 1000; n < 1800; n++)
        assert_true(keep(n, 1000));
    assert_int_equal(memory_remove_key(m, &key), 0); /* it has left */
    assert_true(keep(1, 1000));
    for (u64 n = 2000; n < 2800; n++)
        assert_true(keep(n, 1000));
    assert_int_equal(memory_remove_key(m, &key), 1);
}

/* One that comes back after as many others have left as there are in the whole is as new. */
static void a_ghost_is_forgotten(void **state)
{
    (void)state;
    struct cache_key key = key_of(1);
    assert_true(keep(1, 10000));
    for (u64 n = 1000; n < 1300; n++)
        assert_true(keep(n, 10000));
    assert_in_range(atomic_load(&m->objects), 80, 100);
    assert_true(keep(1, 10000));
    for (u64 n = 2000; n < 2300; n++)
        assert_true(keep(n, 10000));
    assert_int_equal(memory_remove_key(m, &key), 0);
}

/* The seventeenth takes the place of the first, and one that is there already of itself. */
static void sixteen_variants(void **state)
{
    (void)state;
    struct slice vary = SLICE("accept-language");
    struct object *first = NULL;
    for (u64 v = 1; v <= VARY_MOST + 1; v++) {
        struct object *o = make(1, 10, v, vary);
        memory_add(m, o);
        memory_settle(m, o);
        if (v == 1) {
            first = o;
            object_hold(first);
        }
        assert_int_equal(memory_has(m, first), v <= VARY_MOST);
        object_put(&o);
    }
    object_put(&first);
    struct object *again = make(1, 20, 5, vary);
    memory_add(m, again);
    memory_settle(m, again);
    object_put(&again);
    assert_int_equal(atomic_load(&m->objects), VARY_MOST);
    struct cache_key key = key_of(1);
    assert_int_equal(memory_remove_key(m, &key), VARY_MOST);
    assert_int_equal(atomic_load(&m->objects), 0);
}

/* However the index has grown meanwhile. */
static void the_newest_variant_is_found_first(void **state)
{
    (void)state;
    struct cache_key key = key_of(1);
    struct object *o = NULL;
    for (u64 v = 1; v <= 3; v++) {
        object_put(&o);
        o = make(1, 10, v, SLICE("accept-language"));
        memory_add(m, o);
        for (u64 n = 0; n < 300; n++)
            assert_true(keep(1000 * v + n, 10));
        struct object *newest = memory_peek(m, &key);
        assert_ptr_equal(newest, o);
        object_put(&newest);
    }
    object_put(&o);
}

/* One that is purged while it grows stays out when it is settled. */
static void settled_too_late(void **state)
{
    (void)state;
    struct object *o = make(1, 10, 0, SLICE(""));
    memory_add(m, o);
    assert_true(memory_remove(m, o));
    memory_settle(m, o);
    assert_false(has(1));
    assert_int_equal(m->small_bytes + m->main_bytes, 0);
    object_put(&o);
}

static void *hammer(void *arg)
{
    u64 seed = (u64)(size_t)arg;
    for (unsigned i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        u64 n = (seed >> 40) % 500;
        struct cache_key key = key_of(n);
        if (!has(n))
            (void)keep(n, 100 + n * 8);
        if (i % 64 == 0)
            (void)memory_remove_key(m, &key);
        if (i % 500 == 0)
            memory_resize(m, i % 1000 ? MOST : MOST / 2);
    }
    return NULL;
}

static void several_threads(void **state)
{
    (void)state;
    pthread_t t[4];
    for (size_t i = 0; i < countof(t); i++)
        pthread_create(&t[i], NULL, hammer, (void *)(i + 1));
    for (size_t i = 0; i < countof(t); i++)
        pthread_join(t[i], NULL);
    assert_true(atomic_load(&m->budget.used) <= MOST);
}

#define MEMORY_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Fresh until then, and the windows of what may be stale begin then, whatever it has said itself. */
static void made_stale(void **state)
{
    (void)state;
    struct freshness area;
    struct object *o = make(1, 10, 0, SLICE(""));
    o->fresh = (struct freshness){ .received = 1000, .age = 5, .lifetime = 60 };
    memory_add(m, o);
    memory_settle(m, o);
    assert_ptr_equal(object_fresh(o, &area), &o->fresh);
    assert_int_equal(memory_make_stale(m, SLICE("http://h.test/2"), URL_PREFIX, 1010), 0);
    assert_int_equal(memory_make_stale(m, SLICE("http://h.test/"), URL_PREFIX, 1010), 1);
    assert_int_equal(object_fresh(o, &area)->lifetime, 15);
    assert_int_equal(memory_make_stale(m, SLICE(""), URL_PREFIX, 1020), 0);
    assert_int_equal(object_fresh(o, &area)->lifetime, 15);
    assert_true(has(1));
    object_put(&o);
    o = make(2, 10, 0, SLICE(""));
    o->fresh = (struct freshness){ .received = 1000, .lifetime = 60 };
    assert_true(object_make_stale(o, 1100));
    assert_int_equal(object_fresh(o, &area)->lifetime, 60);
    object_put(&o);
    for (u64 n = 0; n < 1000; n++)
        assert_true(keep(n, 10));
    assert_int_equal(memory_make_stale(m, SLICE(""), URL_PREFIX, 1020),
                     1000); /* wherever they are */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(found_and_removed),
        MEMORY_TEST(bounded),
        MEMORY_TEST(kept_at_once),
        MEMORY_TEST(what_is_held_counts),
        MEMORY_TEST(a_scan_takes_nothing_popular),
        MEMORY_TEST(a_ghost_comes_back),
        MEMORY_TEST(a_ghost_is_forgotten),
        MEMORY_TEST(sixteen_variants),
        MEMORY_TEST(the_newest_variant_is_found_first),
        MEMORY_TEST(settled_too_late),
        MEMORY_TEST(several_threads),
        MEMORY_TEST(made_stale),
        MEMORY_TEST(what_is_held_and_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
