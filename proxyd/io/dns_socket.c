/* The calls that c-ares makes itself when nobody gives it others, but for a descriptor that is
 * missing. */
#include "io/dns_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int open_once(int family, int type, int protocol)
{
    int one = 1, fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd >= 0 && type == SOCK_STREAM)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static bool missed_descriptor(int fd)
{
    return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

static ares_socket_t open_socket(int family, int type, int protocol, void *self)
{
    struct dns_sockets *s = self;
    int fd;
    do /* again when somebody else was quicker */
        fd = open_once(family, type, protocol);
    while (missed_descriptor(fd) && s->make_room && s->make_room(s->owner));
    s->no_descriptor = missed_descriptor(fd);
    return fd;
}

static int close_socket(ares_socket_t fd, void *self)
{
    (void)self;
    return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t n, void *self)
{
    (void)self;
    return connect(fd, to, n);
}

static ares_ssize_t receive(ares_socket_t fd, void *p, size_t n, int flags, struct sockaddr *from,
                            ares_socklen_t *from_n, void *self)
{
    enum { HEADER = 12, RCODE = 3, FORMERR = 1, NOTIMP = 4 };
    const struct dns_sockets *s = self;
    ssize_t got = recvfrom(fd, p, n, flags, from, from_n);
    u8 *rcode = (u8 *)p + RCODE;
    if (s->hide_formerr && from && got >= HEADER && (*rcode & 15) == FORMERR)
        *rcode = (*rcode & 0xf0) | NOTIMP;
    return got;
}

static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *v, int n, void *self)
{
    (void)self;
    return writev(fd, v, n);
}

void dns_sockets_use(struct dns_sockets *s, ares_channel channel)
{
    static const struct ares_socket_functions calls = { open_socket, close_socket, connect_socket,
                                                        receive, send_vector };
    ares_set_socket_functions(channel, &calls, s);
}
