/* From a key to its objects: random steps beside a plain list, with keys that share buckets and the
 * bits beside them, so that every chain and the rest are used. */
#include "cache/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OBJECTS = 400, STEPS = 20000 };

static struct index x;
static struct object *all;         /* each in the index or not */
static unsigned age[OBJECTS], now; /* when it was put in; 0: it is not */

static u64 random_below(u64 n)
{
    return (u64)rand() % n;
}

/* Of few keys, buckets and tags. */
static struct cache_key any_key(void)
{
    u64 tag = random_below(12), low = random_below(4);
    return (struct cache_key){ { tag << 48 | low, random_below(2) } };
}

static int set_up(void **state)
{
    (void)state;
    srand(7);
    index_init(&x);
    all = calloc(OBJECTS, sizeof *all);
    memset(age, 0, sizeof age);
    now = 0;
    for (unsigned i = 0; i < OBJECTS; i++)
        all[i].key = any_key();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    index_end(&x);
    free(all);
    return 0;
}

/* Of those of the key that were put in before `before`, the newest; OBJECTS: none. */
static unsigned newest(const struct cache_key *key, unsigned before)
{
    unsigned found = OBJECTS;
    for (unsigned i = 0; i < OBJECTS; i++)
        if (age[i] && age[i] < before && cache_key_same(&all[i].key, key) &&
            (found == OBJECTS || age[i] > age[found]))
            found = i;
    return found;
}

static void assert_right(const struct cache_key *key)
{
    struct index_walk walk = index_walk(&x, key);
    unsigned before = now + 1;
    struct object *o;
    while ((o = index_next(&walk)) != NULL) {
        unsigned i = newest(key, before);
        assert_int_not_equal(i, OBJECTS);
        assert_ptr_equal(o, &all[i]);
        before = age[i];
    }
    assert_int_equal(newest(key, before), OBJECTS);
}

static void step(unsigned i)
{
    assert_int_equal(index_has(&x, &all[i]), age[i] != 0);
    if (age[i]) {
        assert_true(index_take(&x, &all[i]));
        assert_false(index_take(&x, &all[i]));
        age[i] = 0;
    } else {
        index_put(&x, &all[i]);
        age[i] = ++now;
    }
    assert_right(&all[i].key);
}

static void as_a_plain_list(void **state)
{
    (void)state;
    for (unsigned n = 0; n < STEPS; n++)
        step((unsigned)random_below(n < STEPS / 2 ? 60 : OBJECTS)); /* it grows under way, too */
    for (unsigned i = 0; i < OBJECTS; i++)
        assert_right(&all[i].key);
}

/* Filled to the brim first, so that what is put in goes to the rest, then emptied but for that. */
static void of_one_key_the_rest_is_older(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OBJECTS; i++)
        all[i].key = (struct cache_key){ { (u64)(i % 6) << 48, 0 } };
    for (unsigned i = 0; i < 6; i++)
        step(i);
    step(0);     /* a chain is free */
    step(5 + 6); /* the key that is in the rest begins there */
    step(5 + 12);
    assert_int_equal(x.nbuckets, 4);
    assert_right(&all[5].key);
    for (unsigned i = 12 + 6; i < 12 + 12; i++)
        step(i); /* wider */
    assert_int_equal(x.nbuckets, 8);
    for (unsigned i = 0; i < 6; i++)
        assert_right(&all[i].key);
}

static bool is_last(void *ctx, struct object *o)
{
    unsigned *n = ctx;
    assert_int_not_equal(age[o - all], 0);
    return ++*n == OBJECTS / 2;
}

static void all_of_them_in_pieces(void **state)
{
    unsigned n = 0, left = OBJECTS / 2;
    u32 from = 0;
    (void)state;
    for (unsigned i = 0; i < OBJECTS; i += 2)
        step(i);
    while (from < x.nbuckets && index_any(&x, &from, 3, is_last, &n) == NULL)
        ;
    assert_int_equal(n, left);
    assert_true(from < x.nbuckets); /* the last one's */
    from = n = 0;
    assert_null(index_any(&x, &from, 2, is_last, &(unsigned){ OBJECTS }));
    assert_int_equal(from, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_a_plain_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_one_key_the_rest_is_older, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_of_them_in_pieces, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
