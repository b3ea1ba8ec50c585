/*
 * A connection: made, perhaps with TLS and through a tunnel, a request sent, ended or kept. The
 * hard thing is which end counts: one that was kept open may be closed by the other side before
 * anything has come of the answer, and is made again without being an error.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void watch(struct conn *c, unsigned m)
{
    struct epoll_event ev = { .events = m, .data.ptr = c };
    if (c->mask != m)
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
    c->mask = m;
}

void stop(struct conn *c)
{
    if (c->ssl) {
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    close(c->fd);
    c->fd = -1;
    c->state = DOWN;
}

void fail(struct conn *c, int e)
{
    errs++;
    if (!first_errno)
        first_errno = e ? e : -1;
    stop(c);
    if (errs > 10000 && errs > done) {
        quitting = 1;
        return;
    }
    if (!quitting && mode != BULK && mode != IDLE)
        start(c);
}

static ssize_t wr(struct conn *c, const char *p, size_t n)
{
    if (!c->ssl)
        return send(c->fd, p, n, MSG_NOSIGNAL);
    int r = SSL_write(c->ssl, p, n);
    if (r > 0)
        return r;
    r = SSL_get_error(c->ssl, r);
    errno = r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    ERR_clear_error();
    return -1;
}

ssize_t rd(struct conn *c, char *p, size_t n)
{
    if (!c->ssl)
        return recv(c->fd, p, n, 0);
    int r = SSL_read(c->ssl, p, n);
    if (r > 0)
        return r;
    r = SSL_get_error(c->ssl, r);
    if (r == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    ERR_clear_error();
    return -1;
}

static void push(struct conn *c)
{
    while (c->pay_off < c->pay_len) {
        ssize_t n = wr(c, c->pay + c->pay_off, c->pay_len - c->pay_off);
        if (n < 0) {
            if (errno == EAGAIN) {
                watch(c, EPOLLIN | EPOLLOUT);
                return;
            }
            /* an idle connection closed under us: not the proxy's fault */
            if (mode == HTTP && !c->fresh) {
                reconn++;
                stop(c);
                start(c);
                return;
            }
            fail(c, errno);
            return;
        }
        c->pay_off += n;
    }
    watch(c, EPOLLIN);
}

static void say(struct conn *c, int state, struct payload what)
{
    c->state = state;
    c->have = 0;
    c->pay = what.p;
    c->pay_len = what.n;
    c->pay_off = 0;
    push(c);
}

void request(struct conn *c)
{
    static int ended;
    struct payload what;
    if (!next_request(c, &what)) {
        stop(c);
        quitting = ++ended == nconn;
        return;
    }
    if (mode != CONN)
        c->begun = now();
    say(c, ANSWER, what);
}

static void ready(struct conn *c) /* TCP (and TLS) is up */
{
    if (tunnel)
        say(c, TUNNEL, next_tunnel());
    else
        request(c);
}

static void bind_source(int fd)
{
    static unsigned next_src;
    int one = 1;
    struct sockaddr_in s = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(0x7f000001 + next_src++ % nsrc) };
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (void *)&s, sizeof s))
        die("bind");
}

void start(struct conn *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->begun = now();
    c->fresh = 1;
    if (nsrc > 1)
        bind_source(c->fd);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int r = connect(c->fd, (void *)&a, sizeof a);
    if (r && errno != EINPROGRESS) {
        fail(c, errno);
        return;
    }
    conns_made++;
    if (use_tls) {
        c->ssl = SSL_new(ctx);
        SSL_set_fd(c->ssl, c->fd);
        SSL_set_connect_state(c->ssl);
        SSL_set_tlsext_host_name(c->ssl, "localhost");
    }
    struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };
    c->mask = EPOLLOUT;
    c->state = CONNECTING;
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
}

void finished(struct conn *c) /* a whole answer is in */
{
    done++;
    lat(now() - c->begun);
    c->fresh = 0;
    if (mode == IDLE) {
        c->state = RESTING;
        opened++;
        return;
    }
    if (mode == CONN || mode == BULK || c->close_after) {
        if (c->close_after && mode == HTTP)
            reconn++;
        stop(c);
        if (!quitting && mode != BULK)
            start(c);
        return;
    }
    if (rate > 0) {
        uint64_t next = c->begun + (uint64_t)(1e9 / rate), t = now();
        struct timespec pause = { 0, next > t ? (long)(next - t) % 1000000000 : 0 };
        nanosleep(&pause, NULL);
    }
    if (!quitting)
        request(c);
}

static void shake(struct conn *c)
{
    int r = SSL_do_handshake(c->ssl);
    if (r == 1) {
        ready(c);
        return;
    }
    r = SSL_get_error(c->ssl, r);
    ERR_clear_error();
    if (r == SSL_ERROR_WANT_READ)
        watch(c, EPOLLIN);
    else if (r == SSL_ERROR_WANT_WRITE)
        watch(c, EPOLLOUT);
    else
        fail(c, EPROTO);
}

static void connected(struct conn *c)
{
    int e = 0;
    socklen_t l = sizeof e;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &l);
    if (e) {
        fail(c, e);
    } else if (c->ssl) {
        c->state = SHAKING;
        shake(c);
    } else {
        ready(c);
    }
}

void event(struct conn *c, unsigned m)
{
    switch (c->state) {
    case DOWN: return;
    case CONNECTING: connected(c); return;
    case SHAKING: shake(c); return;
    }
    if ((m & EPOLLOUT) && c->pay_off < c->pay_len)
        push(c);
    if (m & (EPOLLIN | EPOLLHUP | EPOLLERR))
        input(c);
}
