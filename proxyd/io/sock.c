#include "io/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/intercept.h"

/* libc's send and recv are cancellation points: in a process with threads each call pays two atomic
 * operations for that, 1.5 % of a small exchange. Nobody is cancelled here. */
static ssize_t recv_plain(int fd, void *p, size_t n)
{
    return syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
}

static ssize_t send_plain(int fd, const void *p, size_t n, int flags)
{
    return syscall(SYS_sendto, fd, p, n, MSG_NOSIGNAL | flags, NULL, 0);
}

enum sock_result sock_recv(struct io *io, void *p, size_t n, size_t *got)
{
    ssize_t r;
    do
        r = recv_plain(io->fd, p, n);
    while (unlikely(r < 0 && errno == EINTR));
    if (likely(r > 0)) {
        if ((size_t)r < n && !(io->ready & (IO_HUP | IO_ERROR | IO_URGENT)))
            io->ready &= (u8)~IO_IN;
        *got = (size_t)r;
        return SOCK_OK;
    }
    if (r == 0) {
        io->ready &= (u8)~IO_IN;
        return SOCK_END;
    }
    if (errno == EAGAIN) {
        io->ready &= (u8) ~(IO_IN | IO_URGENT);
        return SOCK_AGAIN;
    }
    return SOCK_ERROR;
}

static enum sock_result sent_result(struct io *io, ssize_t r, size_t n, size_t *sent)
{
    if (likely(r >= 0)) {
        if ((size_t)r < n)
            io->ready &= (u8)~IO_OUT;
        *sent = (size_t)r;
        return SOCK_OK;
    }
    if (errno == EAGAIN) {
        io->ready &= (u8)~IO_OUT;
        return SOCK_AGAIN;
    }
    return SOCK_ERROR;
}

static enum sock_result send_bytes(struct io *io, const void *p, size_t n, int flags, size_t *sent)
{
    ssize_t r;
    do
        r = send_plain(io->fd, p, n, flags);
    while (unlikely(r < 0 && errno == EINTR));
    return sent_result(io, r, n, sent);
}

enum sock_result sock_send(struct io *io, const void *p, size_t n, size_t *sent)
{
    return send_bytes(io, p, n, 0, sent);
}

enum sock_result sock_sendv(struct io *io, const struct iovec *v, unsigned nv, size_t *sent)
{
    struct msghdr m = { .msg_iov = (struct iovec *)v, .msg_iovlen = nv };
    size_t n = 0;
    for (unsigned i = 0; i < nv; i++)
        n += v[i].iov_len;
    ssize_t r;
    do
        r = sendmsg(io->fd, &m, MSG_NOSIGNAL);
    while (unlikely(r < 0 && errno == EINTR));
    return sent_result(io, r, n, sent);
}

/* The call may be interrupted anywhere, so a short one does not say that the socket is full: only
 * EAGAIN does, and costs one call more. */
static enum sock_result send_extent(struct io *io, const struct extent *e, size_t *sent)
{
    off_t at = (off_t)e->at;
    ssize_t r;
    do
        r = sendfile(io->fd, e->fd, &at, e->n);
    while (unlikely(r < 0 && errno == EINTR));
    if (likely(r > 0)) {
        *sent += (size_t)r;
        return SOCK_OK;
    }
    if (r == 0)
        return SOCK_END;
    switch (errno) {
    case EAGAIN: io->ready &= (u8)~IO_OUT; return SOCK_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ETIMEDOUT: return SOCK_ERROR;
    default: return SOCK_END; /* were it the socket after all, the next write would say so */
    }
}

enum sock_result sock_sendfile(struct io *io, struct slice head, const struct extent *e,
                               size_t *sent)
{
    *sent = 0;
    if (head.n == 0)
        return send_extent(io, e, sent);
    enum sock_result r = send_bytes(io, head.p, head.n, MSG_MORE, sent);
    if (r != SOCK_OK || *sent < head.n)
        return r;
    (void)send_extent(io, e, sent); /* what stops it stops the next call as well */
    return SOCK_OK;
}

static void set_flag(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

int sock_connect(const struct addr *to)
{
    return sock_connect_from(to, &(struct addr){ .family = 0 }, false);
}

/* The port is chosen with the destination known, so that connections to different places may share
 * one. */
static bool bind_source(int fd, const struct addr *source, bool foreign)
{
    struct sockaddr_storage ss;
    struct addr from = *source;
    if (source->family == 0)
        return true;
    if (foreign && !intercept_any_address(fd, source->family))
        return false;
    from.port = foreign ? 0 : from.port;
    set_flag(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    return bind(fd, (struct sockaddr *)&ss, addr_to_sockaddr(&from, &ss)) == 0;
}

int sock_connect_from(const struct addr *to, const struct addr *source, bool foreign)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(to, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!bind_source(fd, source, foreign) ||
        (connect(fd, (struct sockaddr *)&ss, n) < 0 && errno != EINPROGRESS)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int sock_connect_error(int fd)
{
    int error = 0;
    socklen_t n = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        return errno;
    return error;
}

bool sock_local(int fd, struct addr *local)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
        return false;
    addr_from_sockaddr(local, (struct sockaddr *)&ss);
    return local->family != 0;
}

/* The route to a local address has that address as its source, but for the loopback network. */
bool sock_is_local(const struct addr *a)
{
    enum { ANY_PORT = 9 };
    if (a->family == AF_INET && a->ip[0] == 127)
        return true;
    struct addr to = *a, source;
    to.port = ANY_PORT;
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(&to, &ss);
    int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool known = connect(fd, (struct sockaddr *)&ss, n) == 0 && sock_local(fd, &source);
    close(fd);
    return known && addr_same_ip(&source, a);
}

static int failed(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* A socket bound to the address, or -1 with errno. */
static int bound_socket(const struct sock_listen *how)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(&how->addr, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (how->reuse_port)
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (ss.ss_family == AF_INET6)
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !how->both_families);
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (how->transparent && !intercept_any_address(fd, ss.ss_family))
        return failed(fd);
    return bind(fd, (struct sockaddr *)&ss, n) == 0 ? fd : failed(fd);
}

int sock_listen(const struct sock_listen *how, int backlog)
{
    int fd = bound_socket(how);
    return fd < 0 || listen(fd, backlog) == 0 ? fd : failed(fd);
}

bool sock_may_listen(const struct sock_listen *how)
{
    int fd = bound_socket(how);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int sock_accept(int fd, struct addr *peer)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    int c;
    do
        c = accept4(fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (c < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (c >= 0)
        addr_from_sockaddr(peer, (struct sockaddr *)&ss);
    return c;
}

void sock_abort(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}
