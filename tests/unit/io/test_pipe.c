/* Bytes through a pipe without being touched: what is inside is known at any time, and whose fault
 * a full or empty end is. */
#include "io/pipe.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct io from, to;
static int source, sink;
static struct pipe p;

static int set_up(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    from = (struct io){ .fd = pair[0], .ready = IO_IN | IO_OUT };
    source = pair[1];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    to = (struct io){ .fd = pair[0], .ready = IO_IN | IO_OUT };
    sink = pair[1];
    assert_true(pipe_open(&p));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pipe_close(&p);
    close(from.fd), close(to.fd), close(source), close(sink);
    return 0;
}

static void through(void **state)
{
    (void)state;
    size_t n = 0;
    char got[16] = "";
    assert_int_equal(p.held, 0);
    assert_int_equal(write(source, "hello", 5), 5);
    assert_int_equal(pipe_fill(&p, &from, &n), SOCK_OK);
    assert_int_equal(n, 5);
    assert_int_equal(p.held, 5);
    assert_int_equal(pipe_drain(&p, &to, &n), SOCK_OK);
    assert_int_equal(n, 5);
    assert_int_equal(p.held, 0);
    assert_int_equal(read(sink, got, sizeof got), 5);
    assert_string_equal(got, "hello");
}

static void an_empty_socket(void **state)
{
    (void)state;
    size_t n;
    assert_int_equal(pipe_fill(&p, &from, &n), SOCK_AGAIN);
    assert_false(from.ready & IO_IN);
    shutdown(source, SHUT_WR);
    assert_int_equal(pipe_fill(&p, &from, &n), SOCK_END);
}

/* With bytes inside the pipe, EAGAIN does not tell whether the socket is empty. */
static void a_pipe_that_holds_something(void **state)
{
    (void)state;
    size_t n;
    assert_int_equal(write(source, "x", 1), 1);
    assert_int_equal(pipe_fill(&p, &from, &n), SOCK_OK);
    from.ready |= IO_IN;
    assert_int_equal(pipe_fill(&p, &from, &n), SOCK_AGAIN);
    assert_true(from.ready & IO_IN);
}

/* Splice stops before urgent data as if nothing were there, and no further edge would come. */
static void an_urgent_mark(void **state)
{
    (void)state;
    size_t n;
    from.ready |= IO_URGENT;
    assert_int_equal(pipe_fill(&p, &from, &n), SOCK_END);
    assert_true(from.ready & IO_IN);
}

static void a_full_sink(void **state)
{
    (void)state;
    static char bulk[1 << 16];
    size_t n, in = 0, out = 0;
    enum sock_result r = SOCK_OK;
    while (r == SOCK_OK) {
        while (write(source, bulk, sizeof bulk) > 0)
            ;
        if (p.held == 0) {
            assert_int_equal(pipe_fill(&p, &from, &n), SOCK_OK);
            in += n;
        }
        r = pipe_drain(&p, &to, &n);
        out += r == SOCK_OK ? n : 0;
        assert_int_equal(p.held, in - out);
    }
    assert_int_equal(r, SOCK_AGAIN);
    assert_false(to.ready & IO_OUT);
    assert_true(p.held > 0);
    ssize_t got;
    while ((got = read(sink, bulk, sizeof bulk)) > 0)
        out -= (size_t)got;
    assert_int_equal(out, 0);
    assert_int_equal(pipe_drain(&p, &to, &n), SOCK_OK);
}

static void a_broken_sink(void **state)
{
    (void)state;
    size_t n;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(write(source, "x", 1), 1);
    assert_int_equal(pipe_fill(&p, &from, &n), SOCK_OK);
    close(sink);
    assert_int_equal(pipe_drain(&p, &to, &n), SOCK_ERROR);
    sink = dup(source);
}

static void a_source_that_is_no_socket(void **state)
{
    (void)state;
    size_t n;
    struct io nothing = { .fd = -1 };
    assert_int_equal(pipe_fill(&p, &nothing, &n), SOCK_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pipe_that_holds_something, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_urgent_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_sink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_sink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_source_that_is_no_socket, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
