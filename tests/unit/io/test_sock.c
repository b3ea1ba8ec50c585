/* Socket calls on loopback: results, connecting, listening, half-close, reset. */
#include "io/sock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cmocka.h>

static struct addr local(const char *ip, u16 port)
{
    struct addr a;
    assert_true(addr_parse(slice_of(ip), &a));
    a.port = port;
    return a;
}

static struct addr bound(int fd)
{
    struct sockaddr_storage ss;
    struct addr a;
    socklen_t n = sizeof ss;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
    addr_from_sockaddr(&a, (struct sockaddr *)&ss);
    return a;
}

static int listen_on(struct addr a, bool reuse, bool both)
{
    struct sock_listen how = { .addr = a, .reuse_port = reuse, .both_families = both };
    return sock_listen(&how, 16);
}

static void wait_for(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    assert_int_equal(poll(&p, 1, 5000), 1);
}

/* A connected pair over TCP. */
static void connect_pair(const char *ip, struct io *ours, struct io *theirs)
{
    struct addr peer;
    int listener = listen_on(local(ip, 0), false, false);
    assert_true(listener >= 0);
    struct addr to = bound(listener);
    *ours = (struct io){ .fd = sock_connect(&to), .ready = IO_IN | IO_OUT };
    assert_true(ours->fd >= 0);
    wait_for(listener, POLLIN);
    *theirs = (struct io){ .fd = sock_accept(listener, &peer), .ready = IO_IN | IO_OUT };
    assert_true(theirs->fd >= 0);
    struct addr mine = bound(ours->fd);
    assert_true(addr_same(&peer, &mine));
    wait_for(ours->fd, POLLOUT);
    assert_int_equal(sock_connect_error(ours->fd), 0);
    assert_int_equal(sock_accept(listener, &peer), -1);
    assert_int_equal(errno, EAGAIN);
    close(listener);
}

static void exchanges(const char *ip)
{
    struct io ours, theirs;
    char buf[16];
    size_t n;
    connect_pair(ip, &ours, &theirs);
    assert_int_equal(sock_recv(&theirs, buf, sizeof buf, &n), SOCK_AGAIN);
    assert_false(theirs.ready & IO_IN);
    struct iovec v[2] = { { (char *)"hel", 3 }, { (char *)"lo", 2 } };
    assert_int_equal(sock_sendv(&ours, v, 2, &n), SOCK_OK);
    assert_int_equal(n, 5);
    assert_true(ours.ready & IO_OUT);
    wait_for(theirs.fd, POLLIN);
    assert_int_equal(sock_recv(&theirs, buf, sizeof buf, &n), SOCK_OK);
    assert_true(slice_is((struct slice){ buf, n }, "hello"));
    shutdown(ours.fd, SHUT_WR);
    wait_for(theirs.fd, POLLIN);
    assert_int_equal(sock_recv(&theirs, buf, sizeof buf, &n), SOCK_END);
    assert_int_equal(sock_send(&theirs, "still", 5, &n), SOCK_OK); /* the other half is open */
    wait_for(ours.fd, POLLIN);
    assert_int_equal(sock_recv(&ours, buf, sizeof buf, &n), SOCK_OK);
    assert_int_equal(n, 5);
    close(ours.fd);
    close(theirs.fd);
}

static void both_families(void **state)
{
    (void)state;
    exchanges("127.0.0.1");
    exchanges("::1");
}

static void no_delay_on_both_ends(void **state)
{
    (void)state;
    struct io ours, theirs;
    connect_pair("127.0.0.1", &ours, &theirs);
    for (unsigned i = 0; i < 2; i++) {
        int on = 0;
        socklen_t n = sizeof on;
        getsockopt(i ? ours.fd : theirs.fd, IPPROTO_TCP, TCP_NODELAY, &on, &n);
        assert_int_not_equal(on, 0);
    }
    close(ours.fd);
    close(theirs.fd);
}

static void refused(void **state)
{
    (void)state;
    int listener = listen_on(local("127.0.0.1", 0), false, false);
    struct addr to = bound(listener);
    close(listener);
    int fd = sock_connect(&to);
    if (fd < 0) {
        assert_int_equal(errno, ECONNREFUSED);
        return;
    }
    wait_for(fd, POLLOUT);
    assert_int_equal(sock_connect_error(fd), ECONNREFUSED);
    close(fd);
}

static void our_own_end(void **state)
{
    (void)state;
    struct io ours, theirs;
    struct addr dialled;
    int pair[2];
    connect_pair("127.0.0.1", &ours, &theirs);
    assert_true(sock_local(theirs.fd, &dialled));
    struct addr expected = local("127.0.0.1", 0);
    assert_true(addr_same_ip(&dialled, &expected));
    assert_int_not_equal(dialled.port, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(sock_local(pair[0], &dialled));
    assert_false(sock_local(-1, &dialled));
    close(pair[0]);
    close(pair[1]);
    close(ours.fd);
    close(theirs.fd);
}

static void abort_is_a_reset(void **state)
{
    (void)state;
    struct io ours, theirs;
    char buf[8];
    size_t n;
    connect_pair("127.0.0.1", &ours, &theirs);
    sock_abort(ours.fd);
    close(ours.fd);
    wait_for(theirs.fd, POLLIN);
    assert_int_equal(sock_recv(&theirs, buf, sizeof buf, &n), SOCK_ERROR);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(sock_send(&theirs, "x", 1, &n), SOCK_ERROR); /* and no SIGPIPE */
    close(theirs.fd);
}

static void full_clears_out(void **state)
{
    (void)state;
    struct io ours, theirs;
    static char area[1 << 20];
    size_t n;
    enum sock_result r = SOCK_OK;
    connect_pair("127.0.0.1", &ours, &theirs);
    for (unsigned i = 0; i < 100 && (ours.ready & IO_OUT); i++)
        r = sock_send(&ours, area, sizeof area, &n);
    assert_false(ours.ready & IO_OUT);
    assert_true(r == SOCK_OK || r == SOCK_AGAIN);
    assert_int_equal(sock_send(&ours, area, sizeof area, &n), SOCK_AGAIN);
    close(ours.fd);
    close(theirs.fd);
}

static void listening(void **state)
{
    (void)state;
    int first = listen_on(local("127.0.0.1", 0), false, false);
    struct addr at = bound(first);
    assert_int_equal(listen_on(at, false, false), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(first);
    first = listen_on(at, true, false);
    int second = listen_on(at, true, false);
    assert_true(first >= 0 && second >= 0); /* one group */
    close(first);
    close(second);
    assert_int_equal(listen_on(local("192.0.2.1", 0), false, false), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
}

static void wildcard_takes_both_families(void **state)
{
    (void)state;
    struct addr peer;
    for (unsigned both = 0; both < 2; both++) {
        int fd = listen_on(local("::", 0), false, both);
        assert_true(fd >= 0);
        struct addr to = local("127.0.0.1", bound(fd).port);
        int c = sock_connect(&to);
        if (both) {
            wait_for(fd, POLLIN);
            int s = sock_accept(fd, &peer);
            assert_true(s >= 0);
            assert_int_equal(peer.family, AF_INET); /* not in mapped form */
            close(s);
        } else if (c >= 0) {
            wait_for(c, POLLOUT);
            assert_int_equal(sock_connect_error(c), ECONNREFUSED);
        }
        close(c);
        close(fd);
    }
}

static _Atomic bool probed;

/* Connects without end; how often somebody was there. */
static void *knock(void *arg)
{
    const struct addr *to = arg;
    uintptr_t answers = 0;
    while (!probed) {
        int fd = sock_connect(to);
        if (fd < 0)
            continue;
        wait_for(fd, POLLOUT);
        answers += sock_connect_error(fd) == 0;
        close(fd);
    }
    return (void *)answers;
}

/* Whoever connects while the address is tried is refused, not accepted and reset. An address that
 * no source has: from 127.0.0.1 a port may meet itself, or be lent to another process. */
static void trying_an_address_takes_nobody_in(void **state)
{
    (void)state;
    int taken = listen_on(local("127.9.8.7", 0), true, false);
    struct sock_listen how = { .addr = bound(taken) };
    assert_false(sock_may_listen(&how));
    assert_int_equal(errno, EADDRINUSE);
    close(taken);
    pthread_t knocking;
    void *answers;
    probed = false;
    assert_int_equal(pthread_create(&knocking, NULL, knock, &how.addr), 0);
    for (unsigned i = 0; i < 30000; i++)
        assert_true(sock_may_listen(&how));
    probed = true;
    pthread_join(knocking, &answers);
    assert_null(answers);
}

static void which_addresses_are_local(void **state)
{
    (void)state;
    static const char *const here[] = { "127.0.0.1", "127.3.2.1", "::1" };
    static const char *const elsewhere[] = { "192.0.2.1", "198.51.100.7", "2001:db8::1" };
    for (unsigned i = 0; i < countof(here); i++) {
        struct addr a = local(here[i], 80);
        assert_true(sock_is_local(&a));
    }
    for (unsigned i = 0; i < countof(elsewhere); i++) {
        struct addr a = local(elsewhere[i], 80);
        assert_false(sock_is_local(&a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families),
        cmocka_unit_test(no_delay_on_both_ends),
        cmocka_unit_test(refused),
        cmocka_unit_test(our_own_end),
        cmocka_unit_test(abort_is_a_reset),
        cmocka_unit_test(full_clears_out),
        cmocka_unit_test(listening),
        cmocka_unit_test(wildcard_takes_both_families),
        cmocka_unit_test(trying_an_address_takes_nobody_in),
        cmocka_unit_test(which_addresses_are_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
