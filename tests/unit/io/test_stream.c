/* A stream is asked through its operations; the lowest one is the socket itself. */
#include "io/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/xor_stream.h"

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

/* The first layer changes bytes, the second changes what the first has made of them. */
static void layers_over_layers(void **state)
{
    (void)state;
    struct iovec v = { (void *)"hello", 5 };
    char got[8] = "", raw[8] = "";
    size_t n = 0;
    assert_true(xor_push(&s, XOR_MOST));
    assert_int_equal(stream_sendv(&s, &v, 1, &n), SOCK_OK);
    assert_int_equal(read(other, raw, 5), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(raw[i] ^ XOR_KEY, "hello"[i]);
    assert_true(xor_push(&s, XOR_MOST));
    assert_int_equal(stream_sendv(&s, &v, 1, &n), SOCK_OK);
    assert_int_equal(read(other, raw, 5), 5);
    assert_memory_equal(raw, "hello", 5);
    assert_int_equal(write(other, "world", 5), 5);
    assert_int_equal(stream_recv(&s, got, 5, &n), SOCK_OK);
    assert_string_equal(got, "world");
    assert_null(stream_whole(&s));
    stream_close(&s);
    assert_ptr_equal(s.ops, &stream_plain);
    assert_ptr_equal(stream_whole(&s), &s.io);
}

static void hello(void)
{
    unsigned char byte = XOR_HELLO;
    assert_int_equal(stream_handshake(&s), SOCK_AGAIN);
    assert_int_equal(write(other, &byte, 1), 1);
    s.io.ready |= IO_IN;
    assert_int_equal(stream_handshake(&s), SOCK_OK);
    assert_int_equal(read(other, &byte, 1), 1);
    assert_int_equal(byte, XOR_HELLO);
}

/* What stands for "there is more": never clear while the layer or the descriptor holds something. */
static void assert_bits_tell(bool descriptor_holds)
{
    bool more = s.io.ready & (IO_IN | IO_BUFFERED);
    assert_true(more || (stream_pending(&s) == 0 && !descriptor_holds));
}

/* Bytes come in three pieces of every shape, each an edge; whoever reads while a bit is set has all
 * of them before the next edge, and then no bit is left and nothing is held. */
static void bits_and_bytes_agree(size_t split, size_t asked)
{
    static const size_t pieces[] = { 1, 70, 5000 };
    char bytes[5000], got[5000];
    set_up(NULL);
    assert_true(xor_push(&s, split));
    hello();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7) ^ XOR_KEY;
    for (unsigned k = 0; k < countof(pieces); k++) {
        size_t have = 0, n = 0;
        assert_int_equal(write(other, bytes, pieces[k]), pieces[k]);
        s.io.ready |= IO_IN;
        while (s.io.ready & (IO_IN | IO_BUFFERED)) {
            enum sock_result r = stream_recv(&s, got + have, asked, &n);
            have += r == SOCK_OK ? n : 0;
            assert_true(n <= split);
            assert_bits_tell(have == 0);
        }
        assert_int_equal(have, pieces[k]);
        for (size_t i = 0; i < have; i++)
            assert_int_equal(got[i], (char)(i * 7));
    }
    stream_close(&s);
    tear_down(NULL);
}

static void at_every_split(void **state)
{
    (void)state;
    static const size_t asked[] = { 1, 13, 4096 };
    tear_down(NULL);
    for (size_t split = 1; split <= 65; split++)
        for (unsigned i = 0; i < countof(asked); i++)
            bits_and_bytes_agree(split > 64 ? 4096 : split, asked[i]);
    set_up(NULL);
}

/* What was promised goes first, and the end waits for it. */
static void a_full_socket_below_a_layer(void **state)
{
    (void)state;
    static char bulk[XOR_MOST], back[XOR_MOST];
    struct iovec v = { bulk, sizeof bulk };
    size_t n, taken = 0, heard = 0;
    memset(bulk, 'b', sizeof bulk);
    assert_true(xor_push(&s, sizeof bulk));
    while (stream_sendv(&s, &v, 1, &n) == SOCK_OK)
        taken += n;
    assert_false(s.io.ready & IO_OUT);
    assert_int_equal(stream_shutdown(&s), SOCK_AGAIN);
    for (ssize_t r; heard < taken + sizeof bulk && (r = read(other, back, sizeof back)) > 0;) {
        heard += (size_t)r;
        for (ssize_t i = 0; i < r; i++)
            assert_int_equal(back[i], 'b' ^ XOR_KEY);
        s.io.ready |= IO_OUT;
        if (stream_shutdown(&s) == SOCK_AGAIN && stream_sendv(&s, &v, 1, &n) == SOCK_OK)
            assert_int_equal(n, sizeof bulk);
    }
    assert_int_equal(heard, taken + sizeof bulk);
    assert_int_equal(stream_shutdown(&s), SOCK_OK);
    assert_int_equal(read(other, back, 1), 0);
    stream_close(&s);
}

/* Nothing is taken by asking. */
static void quiet_or_not(void **state)
{
    (void)state;
    char got[4];
    size_t n;
    assert_int_equal(stream_quiet(&s), SOCK_AGAIN);
    assert_int_equal(write(other, "ab", 2), 2);
    assert_int_equal(stream_quiet(&s), SOCK_OK);
    assert_true(xor_push(&s, 1));
    assert_int_equal(stream_quiet(&s), SOCK_OK);
    assert_int_equal(stream_recv(&s, got, 4, &n), SOCK_OK);
    assert_int_equal(stream_pending(&s), 1);
    assert_int_equal(stream_quiet(&s), SOCK_OK); /* held by the layer */
    assert_int_equal(stream_recv(&s, got, 4, &n), SOCK_OK);
    assert_int_equal(stream_quiet(&s), SOCK_AGAIN);
    shutdown(other, SHUT_WR);
    assert_int_equal(stream_quiet(&s), SOCK_END);
    assert_true(slice_is(stream_identity(&s)->alpn, "http/1.1"));
    stream_close(&s);
    assert_null(stream_identity(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_go_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(receiving, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_socket_and_a_dead_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(layers_over_layers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_every_split, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_socket_below_a_layer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quiet_or_not, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
