/* Slices of a representation: their names, their bytes, and what the origin says that they are. */
#include "cache/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/head.h"

static struct arena arena;

static struct slice text_of(const char *s)
{
    return (struct slice){ s, strlen(s) };
}

static void bodies(void **state)
{
    (void)state;
    static const struct manifest m = { UINT64_MAX, UINT64_MAX - 1, 64 << 20 };
    static const char *const wrong[] = { "",
                                         "slices",
                                         "slices 1 2",
                                         "slices 1 2 3 4",
                                         "slices 1 2 3 ",
                                         "slices 1 2 x",
                                         "slices 1 0 3",
                                         "slices 1 2 0",
                                         "slices 1 2 -3",
                                         "slices  1 2 3",
                                         "Slices 1 2 3",
                                         "slices 1 2 18446744073709551616" };
    char area[MANIFEST_TEXT];
    struct manifest got;
    struct text t = text_in(area, sizeof area);
    manifest_write(&t, &m);
    assert_false(t.full);
    assert_true(manifest_read(text_slice(&t), &got));
    assert_true(got.id == m.id && got.length == m.length && got.size == m.size);
    for (size_t i = 0; i < countof(wrong); i++)
        if (manifest_read(text_of(wrong[i]), &got))
            fail_msg("%s", wrong[i]);
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        u64 length, size, number, from, to;
    } rows[] = {
        { 10, 4, 0, 0, 3 },
        { 10, 4, 1, 4, 7 },
        { 10, 4, 2, 8, 9 },
        { 8, 4, 1, 4, 7 },
        { 9, 4, 2, 8, 8 },
        { 1, 4, 0, 0, 0 },
        { 1ull << 62, 64 << 10, (1ull << 46) - 1, (1ull << 62) - (64 << 10), (1ull << 62) - 1 },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct byte_range r = block_range(rows[i].length, rows[i].size, rows[i].number);
        assert_int_equal(r.from, rows[i].from);
        assert_int_equal(r.to, rows[i].to);
    }
}

/* No request can name one; one of another manifest, or another number, is another one. */
static void names(void **state)
{
    (void)state;
    static const struct manifest a = { 0xabc, 10, 4 }, b = { UINT64_MAX, 10, 4 };
    char area[3 + BLOCK_PATH], full[80];
    struct text t = text_in(area, sizeof area);
    block_path(&t, SLICE("/f?"), &a, 2);
    assert_true(slice_is(text_slice(&t), "/f? slice-2-abc"));
    assert_true(url_is_block(text_slice(&t)) && !url_is_block(SLICE("http://h/f?")));
    assert_true(block_is_of(text_slice(&t), &a) && !block_is_of(text_slice(&t), &b));
    assert_false(block_is_of(SLICE("http://h/f-abc"), &a));
    assert_true(slice_is(block_whole(text_slice(&t)), "/f?"));
    assert_true(slice_is(block_whole(SLICE("http://h/f?")), "http://h/f?"));
    static const struct head_limits limits = { 1000, 1000, 10 };
    struct text u = text_in(full, sizeof full);
    text_lit(&u, "GET http://h");
    text_add(&u, text_slice(&t));
    text_lit(&u, " HTTP/1.1\r\nHost: h\r\n\r\n");
    struct msg m;
    msg_init(&m, &arena);
    assert_int_not_equal(request_parse(&m, u.p, (u32)u.n, &limits), FAULT_NONE);
    t = text_in(area, sizeof area);
    block_path(&t, SLICE("/f?"), &b, UINT64_MAX);
    assert_false(t.full);
}

static void content_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        u64 from, to, length; /* length 0: refused */
    } rows[] = {
        { "bytes 0-0/1", 0, 0, 1 },
        { "bytes 5-9/10", 5, 9, 10 },
        { "BYTES 0-18446744073709551613/18446744073709551614", 0, UINT64_MAX - 2, UINT64_MAX - 1 },
        { "", 0, 0, 0 },
        { "bytes", 0, 0, 0 },
        { "bytes */10", 0, 0, 0 },
        { "bytes 0-9/*", 0, 0, 0 },
        { "bytes 0-10/10", 0, 0, 0 },
        { "bytes 5-4/10", 0, 0, 0 },
        { "bytes 0-4/0", 0, 0, 0 },
        { "bytes=0-4/10", 0, 0, 0 },
        { "bytes 0-4", 0, 0, 0 },
        { "bytes 0-4/10, 5-6/10", 0, 0, 0 },
        { "bytes -4/10", 0, 0, 0 },
        { "bytes 0-/10", 0, 0, 0 },
        { "bytes  0-4/10", 0, 0, 0 },
        { "bytes 0-4/10 ", 0, 0, 0 },
        { "items 0-4/10", 0, 0, 0 },
        { "bytes 0-4/18446744073709551616", 0, 0, 0 },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct byte_range r = { 0, 0 };
        u64 length = 0;
        bool good = content_range_read(text_of(rows[i].value), &r, &length);
        if (good != (rows[i].length > 0) ||
            (good && (r.from != rows[i].from || r.to != rows[i].to || length != rows[i].length)))
            fail_msg("%s", rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(bodies), cmocka_unit_test(ranges),
                                        cmocka_unit_test(names), cmocka_unit_test(content_ranges) };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
