/* Pieces of a file in memory: what is in them, and what stays of one that is given back. */
#include "cache/pages.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct slice filled(char *area, size_t n, char with)
{
    memset(area, with, n);
    return (struct slice){ area, n };
}

static char text[PAGES_MOST], got[PAGES_MOST];

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct pages p;
    struct pages_run r[40];
    pages_init(&p, 1 << 20);
    for (unsigned i = 0; i < 40; i++) {
        size_t n = PAGES_LEAST + (PAGES_MOST - PAGES_LEAST) / 39 * i;
        assert_true(pages_take(&p, n, &r[i]));
        struct slice bytes = filled(text, n, (char)('a' + i % 26));
        assert_true(pages_write(&r[i], 0, (struct slice){ bytes.p, n / 3 }));
        assert_true(pages_write(&r[i], n / 3, slice_skip(bytes, n / 3)));
    }
    assert_true(p.nareas > 1); /* more than was said at first */
    for (unsigned i = 0; i < 40; i++) {
        struct slice bytes = filled(text, r[i].n, (char)('a' + i % 26));
        assert_memory_equal(r[i].bytes, bytes.p, bytes.n);
        assert_int_equal(pread(r[i].fd, got, bytes.n, (off_t)r[i].offset), bytes.n);
        assert_memory_equal(got, bytes.p, bytes.n);
        pages_give(&p, &r[i]);
    }
    pages_end(&p);
}

static void a_place_is_used_again_and_empty_then(void **state)
{
    (void)state;
    struct pages p;
    struct pages_run r, again;
    pages_init(&p, 1 << 20);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(pages_take(&p, 100000, &r));
        assert_int_equal(r.bytes[99999], 0);
        assert_true(pages_write(&r, 0, filled(text, 100000, 'x')));
        pages_give(&p, &r);
    }
    assert_int_equal(p.nareas, 1);
    assert_true(pages_take(&p, 70000, &again));
    assert_int_equal(again.offset, r.offset);
    pages_end(&p);
}

static void sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    struct pages p;
    struct pages_run r;
    pages_init(&p, 0);
    assert_false(pages_take(&p, PAGES_LEAST - 1, &r));
    assert_false(pages_take(&p, PAGES_MOST + 1, &r));
    assert_true(pages_take(&p, PAGES_LEAST, &r));
    assert_true(pages_take(&p, PAGES_MOST, &r));
    pages_end(&p);
}

static void connect_pair(int pair[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(connect(pair[0], (struct sockaddr *)&a, sizeof a), 0);
    pair[1] = accept(listening, NULL, NULL);
    close(listening);
}

/* The network has the pages themselves, not a copy: whoever gets that place next must not write
 * into what has not been read yet. */
static void what_is_on_its_way_stays_as_it_was(void **state)
{
    (void)state;
    struct pages p;
    struct pages_run r, next;
    int pair[2];
    connect_pair(pair);
    pages_init(&p, 1 << 20);
    assert_true(pages_take(&p, 65536, &r));
    assert_true(pages_write(&r, 0, filled(text, 65536, 'o')));
    off_t at = (off_t)r.offset;
    assert_int_equal(sendfile(pair[0], r.fd, &at, 65536), 65536);
    pages_give(&p, &r);
    assert_true(pages_take(&p, 65536, &next));
    assert_int_equal(next.offset, r.offset);
    assert_true(pages_write(&next, 0, filled(text, 65536, 'n')));
    assert_int_equal(recv(pair[1], got, 65536, MSG_WAITALL), 65536);
    assert_memory_equal(got, filled(text, 65536, 'o').p, 65536);
    pages_give(&p, &next);
    pages_end(&p);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_place_is_used_again_and_empty_then),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(what_is_on_its_way_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
