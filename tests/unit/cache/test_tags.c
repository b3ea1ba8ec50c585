/* Tags of responses: read from two fields, bounded, found whole. */
#include "cache/tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>

#include "tests/unit/cache/help_message.h"

static bool read_into(struct text *t, const char *fields)
{
    struct arena arena;
    struct msg m;
    arena_init(&arena, 0);
    help_response(&m, &arena, 200, fields);
    bool good = tags_read(&m, t);
    arena_free(&arena);
    return good;
}

static void both_fields(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "", "" },
        { "Surrogate-Key: \r\n", "" },
        { "Surrogate-Key: a\r\n", " a " },
        { "Surrogate-Key:  a  b,c\td \r\nSurrogate-Key: e\r\n", " a b,c d e " },
        { "Cache-Tag: a, b ,, c d\r\n", " a b c d " },
        { "Cache-Tag: x\r\nSurrogate-Key: y\r\n", " y x " },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char area[TAGS_TEXT];
        struct text t = text_in(area, sizeof area);
        if (!read_into(&t, rows[i][0]) || !slice_is(text_slice(&t), rows[i][1]))
            fail_msg("%s: %.*s", rows[i][0], SLICE_FMT(text_slice(&t)));
    }
}

static void too_many(void **state)
{
    (void)state;
    char fields[4096], area[TAGS_TEXT];
    for (unsigned n = TAGS_MOST; n <= TAGS_MOST + 1; n++) {
        struct text f = text_in(fields, sizeof fields), t = text_in(area, sizeof area);
        text_lit(&f, "Cache-Tag: t");
        for (unsigned i = 1; i < n; i++)
            text_lit(&f, ",t");
        text_lit(&f, "\r\n");
        text_char(&f, 0);
        assert_int_equal(read_into(&t, fields), n == TAGS_MOST);
    }
    struct text t = text_in(area, sizeof area);
    snprintf(fields, sizeof fields, "Surrogate-Key: %0*d\r\n", TAGS_TEXT - 1, 1);
    assert_false(read_into(&t, fields));
}

static void found_whole(void **state)
{
    (void)state;
    static const struct {
        const char *tags, *one;
        bool has;
    } rows[] = {
        { " ab cd ", "ab", true },  { " ab cd ", "cd", true },  { " ab cd ", "a", false },
        { " ab cd ", "d", false },  { " ab cd ", "b", false },  { " ab cd ", "ab cd", false },
        { " ab cd ", "", false },   { "", "a", false },         { " ab cd ", "cde", false },
        { " aab ab ", "ab", true }, { " ab cd ", "AB", false }, { " a", "a", false },
    };
    for (size_t i = 0; i < countof(rows); i++)
        if (tags_have(slice_of(rows[i].tags), slice_of(rows[i].one)) != rows[i].has)
            fail_msg("%s in %s", rows[i].one, rows[i].tags);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(both_fields), cmocka_unit_test(too_many),
                                        cmocka_unit_test(found_whole) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
