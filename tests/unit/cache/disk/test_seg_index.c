/* The index: what is put in is found, against a plain table; and its bytes per object. */
#include "cache/disk/seg_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/cache/help_log.h"
#include "tests/unit/help_memory.h"

enum { KEYS = 3000, STEPS = 300000 };

/* Of each key what has to be there, in no order. */
static struct plain {
    struct seg_slot slot[SEGLOG_VARIANTS];
    u32 n;
} plain[KEYS];

static struct seg_index ix;
static u64 seed = 1;

static u32 any(u32 n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (u32)(seed >> 33) % n;
}

/* Half of them share a tag with another one, and all have few places to begin at. */
static struct cache_key key_of(u32 n)
{
    struct cache_key k = help_key(n / 2);
    k.bits[0] = n;
    k.bits[1] &= ~(u64)0 << 44;
    return k;
}

static struct seg_slot *plain_variant(struct plain *p, u32 variant)
{
    for (u32 i = 0; i < p->n; i++)
        if (p->slot[i].variant == variant)
            return &p->slot[i];
    return NULL;
}

static struct seg_slot *plain_oldest(struct plain *p)
{
    struct seg_slot *oldest = &p->slot[0];
    for (u32 i = 1; i < p->n; i++)
        if (p->slot[i].segment < oldest->segment)
            oldest = &p->slot[i];
    return oldest;
}

static void plain_put(struct plain *p, const struct seg_slot *s)
{
    struct seg_slot *there = plain_variant(p, s->variant);
    if (there == NULL)
        there = p->n < SEGLOG_VARIANTS ? &p->slot[p->n++] : plain_oldest(p);
    *there = *s;
}

static void check(u32 n)
{
    struct cache_key key = key_of(n);
    struct seg_slot *found[SEGLOG_VARIANTS];
    struct seg_shard *shard = seg_index_lock(&ix, &key);
    u32 k = seg_shard_slots(shard, &key, found);
    assert_int_equal(k, plain[n].n);
    for (u32 i = 0; i < k; i++) {
        const struct seg_slot *want = plain_variant(&plain[n], found[i]->variant);
        assert_non_null(want);
        assert_memory_equal(found[i], want, sizeof *want);
    }
    seg_index_unlock(shard);
}

static void take_one(struct plain *p, const struct cache_key *key)
{
    u32 i = any(p->n);
    struct seglog_place place = { p->slot[i].segment, p->slot[i].at, 0 };
    struct seg_slot copy;
    assert_true(seg_index_get(&ix, key, &place, &copy));
    assert_memory_equal(&copy, &p->slot[i], sizeof copy);
    assert_true(seg_index_forget(&ix, key, &place));
    assert_false(seg_index_forget(&ix, key, &place));
    p->slot[i] = p->slot[--p->n];
}

static void move_one(struct plain *p, const struct cache_key *key, u32 step)
{
    struct seg_slot to = p->slot[any(p->n)];
    u32 from = to.segment;
    to.segment = step;
    assert_false(seg_index_move(&ix, key, &to, from + 1));
    assert_true(seg_index_move(&ix, key, &to, from));
    plain_put(p, &to);
}

static void step(u32 i, u32 keys)
{
    u32 n = any(keys), what = any(16);
    struct plain *p = &plain[n];
    struct cache_key key = key_of(n);
    struct seg_slot s = {
        .tag = key.bits[1], .segment = i, .at = any(1000), .variant = any(any(8) ? 2 : 30)
    };
    if (what < 8) {
        assert_true(seg_index_put(&ix, &key, &s));
        plain_put(p, &s);
    } else if (what < 10) {
        assert_true(seg_index_add(&ix, &key, &s));
        if (p->n < SEGLOG_VARIANTS && plain_variant(p, s.variant) == NULL)
            plain_put(p, &s);
    } else if (what < 14 && p->n) {
        take_one(p, &key);
    } else if (what == 14 && p->n) {
        move_one(p, &key, i);
    } else {
        assert_int_equal(seg_index_remove(&ix, &key), p->n);
        p->n = 0;
    }
    check(n);
}

/* Grown, emptied and grown again. */
static void against_a_plain_table(void **state)
{
    (void)state;
    u64 sum = 0;
    assert_true(seg_index_init(&ix, 0));
    for (u32 i = 1; i <= STEPS; i++)
        step(i, i / 50000 % 2 ? 50 : KEYS);
    for (u32 n = 0; n < KEYS; n++) {
        check(n);
        sum += plain[n].n;
    }
    assert_int_equal(ix.objects, sum);
    for (u32 n = 0; n < KEYS; n++) {
        struct cache_key key = key_of(n);
        assert_int_equal(seg_index_remove(&ix, &key), plain[n].n);
    }
    assert_int_equal(ix.objects, 0);
    seg_index_end(&ix);
}

static bool put(u64 n, u32 segment)
{
    struct cache_key key = help_key(n);
    struct seg_slot s = { .tag = key.bits[1], .segment = segment, .at = (u32)n };
    return seg_index_put(&ix, &key, &s);
}

/* At most 40 bytes an object, at any number of them. slow: up to a million. */
static void bytes_per_object(void **state)
{
    (void)state;
    const u32 most = 1000000;
    assert_true(seg_index_init(&ix, 1ull << 30));
    for (u32 n = 1; n <= most; n++) {
        assert_true(put(n, 1 + n % 7));
        if (n >= 10000 && n % 997 == 0)
            assert_true(ix.bytes <= n * 40ull);
    }
    assert_int_equal(ix.objects, most);
    for (u32 n = 1; n <= most; n++) {
        struct cache_key key = help_key(n);
        struct seglog_place p = { 1 + n % 7, n, 0 };
        struct seg_slot s;
        assert_true(seg_index_get(&ix, &key, &p, &s));
    }
    u32 k;
    free(seg_index_of_segment(&ix, 3, &k));
    assert_int_equal(k, (most + 4) / 7);
    assert_int_equal(seg_index_clear(&ix, 3), k);
    assert_int_equal(ix.objects, most - k);
    for (u32 n = 1; n <= most; n++) {
        struct cache_key key = help_key(n);
        assert_int_equal(seg_index_remove(&ix, &key), 1 + n % 7 != 3);
    }
    seg_index_end(&ix);
}

/* A table that cannot grow is filled, and then refuses. */
static void no_memory(void **state)
{
    (void)state;
    assert_true(seg_index_init(&ix, 0));
    for (u64 n = 0; n < 500; n++)
        assert_true(put(n, 1));
    memory_refuse(1, true);
    u64 n = 500;
    while (put(n, 1))
        n++;
    assert_in_range(n, 500, 700);
    memory_relent();
    assert_int_equal(ix.objects, n);
    for (u64 i = 0; i < n; i++) {
        struct cache_key key = help_key(i);
        assert_int_equal(seg_index_remove(&ix, &key), 1);
    }
    seg_index_end(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_plain_table),
        cmocka_unit_test(bytes_per_object),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
