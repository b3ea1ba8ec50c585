/* What is noted of an object on disk comes back as it was, and nothing is believed that it cannot be. */
#include "cache/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/head.h"

#define HEAD "HTTP/1.1 200 OK\r\nX-A: b\r\nETag: \"1\"\r\n\r\n"

static char area[1000];

static struct slice write(struct stored_meta *m)
{
    struct text t = text_in(area, sizeof area);
    *m = (struct stored_meta){ .fresh = { .received = 1700000000,
                                          .date = 1699999990,
                                          .age = 10,
                                          .lifetime = 60,
                                          .while_revalidate = 5,
                                          .if_error = 7,
                                          .must_revalidate = true,
                                          .immutable = true,
                                          .departs = 0x123456789abcdef0 },
                               .by_parent = true,
                               .minor = 1,
                               .length = 1ull << 40,
                               .rule = SLICE("staff"),
                               .head = SLICE(HEAD) };
    assert_true(addr_parse_port(SLICE("[2001:db8::7]:8080"), &m->server));
    stored_write(m, &t);
    assert_false(t.full);
    assert_int_equal(t.n, STORED_META + m->rule.n + m->head.n);
    return text_slice(&t);
}

static void it_comes_back_as_it_was(void **state)
{
    struct stored_meta m, again;
    (void)state;
    assert_true(stored_read(write(&m), &again));
    assert_true(addr_same(&m.server, &again.server));
    assert_true(slice_eq(again.rule, m.rule) && slice_eq(again.head, m.head));
    assert_int_equal(again.length, m.length);
    assert_true(again.by_parent);
    assert_int_equal(again.minor, 1);
    assert_int_equal(again.fresh.received, m.fresh.received);
    assert_int_equal(again.fresh.date, m.fresh.date);
    assert_int_equal(again.fresh.age, 10);
    assert_int_equal(again.fresh.lifetime, 60);
    assert_int_equal(again.fresh.while_revalidate, 5);
    assert_int_equal(again.fresh.if_error, 7);
    assert_true(again.fresh.must_revalidate && again.fresh.immutable && !again.fresh.heuristic);
    assert_true(again.fresh.departs == m.fresh.departs);
}

static void what_cannot_be_is_refused(void **state)
{
    static const struct {
        unsigned at;
        u8 is;
    } wrong[] = { { 0, STORED_VERSION + 1 },
                  { 1, 0x10 },
                  { 2, 2 },
                  { 3, 0 },
                  { 3, 4 },
                  /* of 16 bytes */ { 6, 1 },
                  { 12, 1 },
                  { 38, 1 },
                  { 46, 1 },
                  { 51, 0xff },
                  { 55, 0xff },
                  { 86, 1 },
                  { 88, 0xff } };
    struct stored_meta m, again;
    (void)state;
    for (unsigned i = 0; i < countof(wrong); i++) {
        struct slice s = write(&m);
        area[wrong[i].at] = (char)wrong[i].is;
        if (stored_read(s, &again))
            fail_msg("byte %u may be %u", wrong[i].at, wrong[i].is);
    }
    struct slice s = write(&m);
    for (size_t n = 0; n < s.n; n++)
        assert_false(stored_read((struct slice){ s.p, n }, &again));
    area[s.n] = 0;
    assert_false(stored_read((struct slice){ s.p, s.n + 1 }, &again));
}

static void a_head_is_read_strictly(void **state)
{
    static const char *const wrong[] = {
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n\r\nx",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 100 X\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r c\r\n\r\n",
        "HTTP/1.1 200 OK\r\n x: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: x\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\n\n",
    };
    struct head_plan plan;
    (void)state;
    assert_true(head_plan_read(SLICE(HEAD), &plan));
    assert_int_equal(plan.status, 200);
    assert_int_equal(plan.nfields, 2);
    assert_true(head_plan_read(SLICE("HTTP/1.1 404 \r\n\r\n"), &plan));
    assert_int_equal(plan.nfields, 0);
    for (unsigned i = 0; i < countof(wrong); i++)
        if (head_plan_read((struct slice){ wrong[i], strlen(wrong[i]) }, &plan))
            fail_msg("%s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back_as_it_was),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_head_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
