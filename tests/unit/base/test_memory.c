/* Arena, slab, buffer allocator and list: nothing handed out overlaps, limits hold, all comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/slab.h"
#include "tests/unit/help_memory.h"

static void arena_hands_out_disjoint_aligned_memory(void **state)
{
    (void)state;
    enum { N = 2000 };
    static char *p[N];
    struct arena a;
    arena_init(&a, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < N; i++) {
            p[i] = arena_alloc(&a, 1 + i % 97);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            memset(p[i], (int)i, 1 + i % 97);
        }
        char *large = arena_alloc(&a, 100000);
        memset(large, 0x5a, 100000);
        for (unsigned i = 0; i < N; i++)
            for (unsigned k = 0; k < 1 + i % 97; k++)
                assert_int_equal(p[i][k], (char)i);
        assert_true(a.total > 100000);
        arena_reset(&a);
        assert_int_equal(a.used, 0);
        assert_true(a.total < 5000);
    }
    arena_free(&a);
    assert_int_equal(a.total, 0);
    arena_reset(&a);
    arena_free(&a);
}

static void arena_reset_keeps_the_first_chunk(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256);
    void *first = arena_alloc(&a, 16);
    arena_alloc(&a, 1000);
    arena_reset(&a);
    assert_ptr_equal(arena_alloc(&a, 16), first);
    char *z = arena_zalloc(&a, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(z[i], 0);
    arena_free(&a);
}

/* The reserve is for arena_alloc alone and is taken before any memory of the system. */
static void arena_with_a_reserve(void **state)
{
    (void)state;
    _Alignas(16) char reserve[48];
    struct arena a;
    arena_init(&a, 64);
    arena_set_reserve(&a, reserve, sizeof reserve);
    for (int round = 0; round < 2; round++) {
        memory_refuse(1, true);
        assert_null(arena_try(&a, 1));
        assert_ptr_equal(arena_alloc(&a, 17), reserve);
        assert_ptr_equal(arena_alloc(&a, 16), reserve + 32);
        assert_int_equal(memory_relent(), 1);
        assert_non_null(arena_alloc(&a, 1)); /* it is used up */
        assert_non_null(arena_try(&a, 100));
        arena_reset(&a);
        arena_free(&a);
    }
}

static void arena_copies_end_in_nul(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    struct slice c = arena_copy(&a, SLICE("sixteen bytes ok"));
    assert_int_equal(c.n, 16);
    assert_string_equal(c.p, "sixteen bytes ok");
    c = arena_copy(&a, (struct slice){ NULL, 0 });
    assert_int_equal(c.n, 0);
    assert_int_equal(c.p[0], 0);
    arena_free(&a);
}

static void slab_objects_are_disjoint_and_reused(void **state)
{
    (void)state;
    enum { N = 5000, SIZE = 100 };
    static u8 *p[N];
    struct slab s;
    slab_init(&s, SIZE);
    for (unsigned i = 0; i < N; i++) {
        p[i] = slab_take(&s);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)(i & 255), SIZE);
    }
    for (unsigned i = 0; i < N; i++)
        for (unsigned k = 0; k < SIZE; k++)
            assert_int_equal(p[i][k], i & 255);
    assert_int_equal(s.live, N);
    u64 held = s.held;
    assert_true(held >= (u64)N * SIZE && held < (u64)N * SIZE * 3 / 2 + 65536);
    for (unsigned i = 0; i < N; i++)
        slab_give(&s, p[i]);
    assert_int_equal(s.live, 0);
    assert_ptr_equal(slab_take(&s), p[N - 1]); /* last in, first out */
    for (unsigned i = 1; i < N; i++)
        slab_take(&s);
    assert_int_equal(s.held, held);
    slab_destroy(&s);
    assert_null(s.free);
}

static void slab_takes_small_and_large_objects(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 1);
    assert_int_equal(s.size, 16);
    assert_ptr_not_equal(slab_take(&s), slab_take(&s));
    slab_destroy(&s);
    slab_init(&s, 30000);
    for (unsigned i = 0; i < 10; i++)
        memset(slab_take(&s), 1, 30000);
    slab_destroy(&s);
}

static void buf_budget_holds(void **state)
{
    (void)state;
    struct buf_allocator p;
    struct buf *b[64] = { NULL };
    buf_allocator_init(&p, 128 * 1024);
    unsigned n = 0;
    while (n < 64 && (b[n] = buf_take(&p, BUF_16K)) != NULL)
        n++;
    assert_int_equal(n, 8);
    assert_true(p.held <= p.budget && p.in_use == p.held);
    for (unsigned i = 0; i < n; i++) {
        buf_give(&p, &b[i]);
        assert_null(b[i]);
    }
    assert_int_equal(p.in_use, 0);
    assert_true(p.held > 0);      /* kept warm */
    b[0] = buf_take(&p, BUF_64K); /* idle buffers of another class make room */
    assert_non_null(b[0]);
    assert_true(p.held <= p.budget);
    assert_null(buf_take(&p, BUF_256K));
    buf_give(&p, &b[0]);
    buf_give(&p, &b[0]); /* NULL is nothing */
    buf_allocator_destroy(&p);
    assert_int_equal(p.held, 0);
}

/* Whoever begins something stops first, whoever has to send stops last. */
static void buf_last_parts_are_kept(void **state)
{
    (void)state;
    static const unsigned expected[BUF_USES] = { 8, 12, 14, 16 };
    struct buf_allocator p;
    struct buf *b[32];
    unsigned n = 0;
    buf_allocator_init(&p, 64 * 1024);
    for (enum buf_use use = 0; use < BUF_USES; use++) {
        while (n < 32 && (b[n] = buf_take_for(&p, BUF_4K, use)) != NULL)
            n++;
        assert_int_equal(n, expected[use]);
    }
    while (n > 7)
        buf_give(&p, &b[--n]);
    assert_non_null(b[7] = buf_take_for(&p, BUF_4K, BUF_FOR_NEWCOMER));
    assert_null(buf_take_for(&p, BUF_4K, BUF_FOR_NEWCOMER));
    buf_allocator_resize(&p, 32 * 1024); /* what is idle beyond it goes */
    assert_true(p.held <= p.budget);
    assert_null(buf_take_for(&p, BUF_4K, BUF_FOR_SENDING));
    for (unsigned i = 0; i < 8; i++)
        buf_give(&p, &b[i]);
    buf_allocator_destroy(&p);
}

static void buf_freelists_are_bounded(void **state)
{
    (void)state;
    struct buf_allocator p;
    static struct buf *b[300];
    buf_allocator_init(&p, 64 << 20);
    for (unsigned i = 0; i < 300; i++)
        b[i] = buf_take(&p, BUF_4K);
    for (unsigned i = 0; i < 300; i++)
        buf_give(&p, &b[i]);
    assert_true(p.nfree[BUF_4K] < 300);
    assert_true(p.held <= 512 * 1024);
    buf_allocator_destroy(&p);
}

static void buf_marks(void **state)
{
    (void)state;
    struct buf_allocator p;
    buf_allocator_init(&p, 1 << 20);
    struct buf *b = buf_take(&p, BUF_4K);
    assert_int_equal(buf_len(b), 0);
    assert_int_equal(buf_room(b), b->size);
    memcpy(b->data, "abcdef", 6);
    b->to = 6;
    b->from = 2;
    buf_compact(b);
    assert_int_equal(b->from, 0);
    assert_true(slice_is(buf_live(b), "cdef"));
    memset(b->data, 1, b->size); /* the area is really that large */
    buf_give(&p, &b);
    b = buf_take(&p, BUF_4K);
    assert_int_equal(buf_len(b), 0); /* comes back empty */
    buf_give(&p, &b);
    buf_allocator_destroy(&p);
}

struct node {
    struct list link;
    int v;
};

static void list_keeps_order(void **state)
{
    (void)state;
    struct list l;
    struct node n[4];
    list_init(&l);
    assert_true(list_empty(&l));
    assert_null(list_pop(&l));
    for (int i = 0; i < 4; i++)
        n[i].v = i;
    list_push_back(&l, &n[1].link);
    list_push_back(&l, &n[2].link);
    list_push_front(&l, &n[0].link);
    list_push_back(&l, &n[3].link);
    list_remove(&n[2].link);
    list_remove(&n[2].link); /* of no list: harmless */
    static const int want[] = { 0, 1, 3 };
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(container_of(list_pop(&l), struct node, link)->v, want[i]);
    assert_true(list_empty(&l));
}

static unsigned ended[3], nended;

static void note_end(void *what)
{
    ended[nended++] = *(unsigned *)what;
}

static void what_an_arena_cannot_hold_ends_with_it(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    for (unsigned i = 0; i < 3; i++) {
        unsigned *what = arena_alloc(&a, 100); /* a chunk each */
        *what = i;
        arena_at_end(&a, note_end, what);
    }
    arena_reset(&a);
    assert_int_equal(nended, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ended[i], 2 - i);
    unsigned *again = arena_alloc(&a, sizeof *again);
    *again = nended = 0;
    arena_at_end(&a, note_end, again);
    arena_free(&a);
    assert_int_equal(nended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_arena_cannot_hold_ends_with_it),
        cmocka_unit_test(arena_hands_out_disjoint_aligned_memory),
        cmocka_unit_test(arena_reset_keeps_the_first_chunk),
        cmocka_unit_test(arena_with_a_reserve),
        cmocka_unit_test(arena_copies_end_in_nul),
        cmocka_unit_test(slab_objects_are_disjoint_and_reused),
        cmocka_unit_test(slab_takes_small_and_large_objects),
        cmocka_unit_test(buf_budget_holds),
        cmocka_unit_test(buf_last_parts_are_kept),
        cmocka_unit_test(buf_freelists_are_bounded),
        cmocka_unit_test(buf_marks),
        cmocka_unit_test(list_keeps_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
