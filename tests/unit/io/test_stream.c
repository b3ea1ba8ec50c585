/* A stream is asked through its operations; the lowest one is the socket itself. */
#include "io/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct stream s;
static int other;

static int set_up(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    s = (struct stream){ .io = { .fd = pair[0], .ready = IO_IN | IO_OUT }, .ops = &stream_plain };
    other = pair[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(s.io.fd);
    close(other);
    return 0;
}

static void pieces_go_in_order(void **state)
{
    (void)state;
    char got[32] = "";
    size_t sent = 0;
    struct iovec v[3] = { { (void *)"one ", 4 }, { (void *)"two ", 4 }, { (void *)"three", 5 } };
    assert_int_equal(stream_sendv(&s, v, 1, &sent), SOCK_OK);
    assert_int_equal(sent, 4);
    assert_int_equal(stream_sendv(&s, v, 3, &sent), SOCK_OK);
    assert_int_equal(sent, 13);
    assert_int_equal(read(other, got, sizeof got), 17);
    assert_string_equal(got, "one one two three");
}

static void receiving(void **state)
{
    (void)state;
    char got[32];
    size_t n = 0;
    assert_int_equal(stream_recv(&s, got, sizeof got, &n), SOCK_AGAIN);
    assert_false(s.io.ready & IO_IN);
    assert_int_equal(write(other, "hello", 5), 5);
    assert_int_equal(stream_recv(&s, got, 3, &n), SOCK_OK);
    assert_int_equal(n, 3);
    assert_int_equal(stream_recv(&s, got, sizeof got, &n), SOCK_OK);
    assert_memory_equal(got, "lo", 2);
    shutdown(other, SHUT_WR);
    assert_int_equal(stream_recv(&s, got, sizeof got, &n), SOCK_END);
}

static void a_full_socket_and_a_dead_one(void **state)
{
    (void)state;
    static char bulk[1 << 16];
    size_t sent;
    struct iovec v[2] = { { bulk, sizeof bulk }, { bulk, sizeof bulk } };
    enum sock_result r;
    while ((r = stream_sendv(&s, v, 2, &sent)) == SOCK_OK)
        ;
    assert_int_equal(r, SOCK_AGAIN);
    assert_false(s.io.ready & IO_OUT);
    close(other);
    assert_int_equal(stream_sendv(&s, v, 1, &sent), SOCK_ERROR); /* and no signal */
    other = dup(s.io.fd);
}

/* A layer above: its own bytes, reached through `below`. */
static enum sock_result shout(struct stream *up, const struct iovec *v, unsigned nv, size_t *sent)
{
    char area[64];
    size_t n = v[0].iov_len;
    (void)nv;
    for (size_t i = 0; i < n; i++)
        area[i] = (char)(((const char *)v[0].iov_base)[i] & ~0x20);
    struct iovec louder = { area, n };
    return stream_sendv(up->below, &louder, 1, sent);
}

static enum sock_result listen_closely(struct stream *up, void *p, size_t n, size_t *got)
{
    enum sock_result r = stream_recv(up->below, p, n, got);
    for (size_t i = 0; r == SOCK_OK && i < *got; i++)
        ((char *)p)[i] |= 0x20;
    return r;
}

static void a_stream_under_a_stream(void **state)
{
    (void)state;
    static const struct stream_ops ops = { "loud", listen_closely, shout, false };
    struct stream up = { .io.fd = s.io.fd, .ops = &ops, .below = &s };
    char got[8] = "";
    size_t n = 0;
    struct iovec v = { (void *)"hello", 5 };
    assert_int_equal(stream_sendv(&up, &v, 1, &n), SOCK_OK);
    assert_int_equal(read(other, got, 5), 5);
    assert_string_equal(got, "HELLO");
    assert_int_equal(write(other, "WORLD", 5), 5);
    assert_int_equal(stream_recv(&up, got, 5, &n), SOCK_OK);
    assert_string_equal(got, "world");
    assert_true(stream_plain.whole && !ops.whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_go_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(receiving, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_socket_and_a_dead_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_under_a_stream, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
