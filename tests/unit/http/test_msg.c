/* Fields: finding, adding, removing, growing, writing. */
#include "http/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include "http/h1_write.h"
#include "http/head.h"
#include "tests/unit/help_memory.h"

static const struct head_limits limits = { 65536, 4096, 200 };

static void parse(struct msg *m, struct arena *a, const char *head)
{
    msg_init(m, a);
    assert_int_equal(request_parse(m, head, (u32)strlen(head), &limits), FAULT_NONE);
}

static void written(const struct msg *m, const char *want)
{
    char area[4096];
    struct text out = text_in(area, sizeof area);
    h1_write_fields(&out, m);
    assert_false(out.full);
    assert_int_equal(out.n, strlen(want));
    assert_memory_equal(area, want, out.n);
}

static void finding(void **state)
{
    (void)state;
    struct msg m;
    parse(&m, NULL,
          "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nAccept: x\r\nx-one: 2\r\nX-Two: 3\r\n"
          "Accept: y\r\n\r\n");
    assert_int_equal(m.nfields, 6);
    assert_true(slice_is(msg_get(&m, TOKEN_HOST), "a"));
    assert_null(msg_find(&m, TOKEN_RANGE));
    assert_null(msg_get(&m, TOKEN_RANGE).p);
    assert_int_equal(msg_count(&m, TOKEN_ACCEPT), 2);
    const struct field *f = msg_find(&m, TOKEN_ACCEPT);
    assert_true(slice_is(msg_value(&m, f), "x"));
    f = msg_find_next(&m, f);
    assert_true(slice_is(msg_value(&m, f), "y"));
    assert_null(msg_find_next(&m, f));
    f = msg_find_name(&m, SLICE("X-ONE"));
    assert_true(slice_is(msg_value(&m, f), "1"));
    f = msg_find_next(&m, f);
    assert_true(slice_is(msg_value(&m, f), "2"));
    assert_null(msg_find_next(&m, f));
    assert_true(slice_is(msg_name(&m, msg_find_name(&m, SLICE("ACCEPT"))), "Accept"));
    assert_null(msg_find_name(&m, SLICE("X-Three")));
}

static void removing(void **state)
{
    (void)state;
    struct msg m;
    const char *head = "GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nX-One: 1\r\nAccept: y\r\n\r\n";
    parse(&m, NULL, head);
    msg_remove_field(&m, &m.fields[1]);
    assert_true(msg_has(&m, TOKEN_ACCEPT));
    written(&m, "Host: a\r\nX-One: 1\r\nAccept: y\r\n");
    msg_remove(&m, TOKEN_ACCEPT);
    assert_false(msg_has(&m, TOKEN_ACCEPT));
    written(&m, "Host: a\r\nX-One: 1\r\n");
    msg_remove_name(&m, SLICE("x-one"));
    assert_false(msg_has(&m, TOKEN_OTHER));
    written(&m, "Host: a\r\n");
    msg_remove(&m, TOKEN_ACCEPT);
    msg_remove_field(&m, &m.fields[1]);
    written(&m, "Host: a\r\n");
}

static void adding(void **state)
{
    (void)state;
    struct arena a;
    struct msg m;
    arena_init(&a, 0);
    parse(&m, &a, "GET / HTTP/1.1\r\nHost: a\r\nAccept:x\r\n\r\n");
    msg_add(&m, SLICE("via"), SLICE("1.1 us"));
    msg_set(&m, TOKEN_HOST, SLICE("b:8080"));
    msg_add(&m, SLICE("X-New"), SLICE(" line\r\nInjected: 1\x7f "));
    msg_add(&m, SLICE("X-Empty"), SLICE(""));
    written(&m, "Accept: x\r\nvia: 1.1 us\r\nHost: b:8080\r\nX-New: line  Injected: 1 \r\n"
                "X-Empty: \r\n");
    assert_true(msg_has(&m, TOKEN_VIA));
    assert_int_equal(msg_count(&m, TOKEN_HOST), 1);
    arena_free(&a);
}

/* Past the inline fields and many times past the first block of extra; a value from the message. */
static void growing(void **state)
{
    (void)state;
    struct arena a;
    struct msg m;
    arena_init(&a, 0);
    parse(&m, &a, "GET / HTTP/1.1\r\nHost: first\r\n\r\n");
    for (unsigned i = 0; i < 500; i++)
        msg_add(&m, SLICE("X-Copy"), msg_value(&m, &m.fields[i]));
    assert_int_equal(m.nfields, 501);
    for (unsigned i = 0; i < 501; i++)
        assert_true(slice_is(msg_value(&m, &m.fields[i]), "first"));
    assert_int_equal(msg_count(&m, TOKEN_OTHER), 500);
    arena_free(&a);
}

/* Without memory nothing is added, and what is there stays. */
static void refused(void **state)
{
    (void)state;
    struct arena a;
    struct msg m;
    arena_init(&a, 16);
    parse(&m, &a, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    memory_refuse(1, true);
    assert_false(msg_add(&m, SLICE("X"), SLICE("y"))); /* nowhere to keep the text */
    assert_int_equal(memory_relent(), 1);
    written(&m, "Host: a\r\n");
    while (m.nfields < MSG_INLINE_FIELDS)
        assert_true(msg_add(&m, SLICE("X"), SLICE("y")));
    memory_refuse(1, true);
    assert_false(msg_add(&m, SLICE("X"), SLICE("y"))); /* no entry is left */
    assert_int_equal(memory_relent(), 1);
    assert_int_equal(msg_count(&m, TOKEN_OTHER), MSG_INLINE_FIELDS - 1);
    arena_free(&a);
}

/* Whatever was not "Name: value" is written so. */
static void blanks_are_normalised(void **state)
{
    (void)state;
    struct msg m;
    parse(&m, NULL,
          "GET / HTTP/1.1\r\nHost:a\r\nA:\t b\r\nC: d \t\r\nE:\r\nF: \r\nG:   \r\nH: i j\r\n\r\n");
    written(&m, "Host: a\r\nA: b\r\nC: d\r\nE: \r\nF: \r\nG: \r\nH: i j\r\n");
}

/* One such line is enough, of whatever kind it is. */
static void one_line_that_is_not_even(void **state)
{
    (void)state;
    static const char *const lines[] = { "A:b\r\n", "A:  b\r\n", "A:\tb\r\n", "A: b \r\n",
                                         "A: b\t\r\n" };
    for (unsigned i = 0; i < countof(lines); i++) {
        char head[100];
        struct msg m;
        snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%sC: d\r\n\r\n", lines[i]);
        parse(&m, NULL, head);
        written(&m, "Host: a\r\nA: b\r\nC: d\r\n");
    }
}

static void write_is_bounded(void **state)
{
    (void)state;
    struct msg m;
    char area[16];
    struct text out = text_in(area, sizeof area);
    parse(&m, NULL, "GET / HTTP/1.1\r\nHost: a\r\nAccept: something long\r\n\r\n");
    h1_write_fields(&out, &m);
    assert_true(out.full);
}

static void lists(void **state)
{
    (void)state;
    struct slice rest = SLICE(",a ,, b,\t"), item;
    assert_true(list_next(&rest, &item));
    assert_true(slice_is(item, "a"));
    assert_true(list_next(&rest, &item));
    assert_true(slice_is(item, "b"));
    assert_false(list_next(&rest, &item));
    rest = SLICE("");
    assert_false(list_next(&rest, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finding),
        cmocka_unit_test(removing),
        cmocka_unit_test(adding),
        cmocka_unit_test(growing),
        cmocka_unit_test(refused),
        cmocka_unit_test(lists),
        cmocka_unit_test(blanks_are_normalised),
        cmocka_unit_test(one_line_that_is_not_even),
        cmocka_unit_test(write_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
