/*
 * relay - the floor: what a user-space relay on epoll cannot go below.
 *
 *   relay [-c] [-e] [-q] [-s] [-b BYTES] [-p POOL] [-n ADDRESSES] LISTEN_PORT ORIGIN_PORT
 *
 * One thread, no parsing, one upstream connection per client connection.
 *   -p POOL  open POOL upstream connections beforehand and hand them out
 *   -c       answer the first message of a client with a fixed "200" (what a
 *            CONNECT costs at least), then relay
 *   -e       edge-triggered instead of level-triggered
 *   -s       move the bytes with splice(2) through a pipe, not recv/send
 *   -b       bytes per recv (262144)
 *   -q       close both sides at the first end of stream, no half-close
 *   -n       spread upstream connections over 127.0.0.1 .. 127.0.0.N
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"

#define MAXCHUNK (256 * 1024)
#define CHUNK chunk

struct end {
    int fd, pfd[2];
    struct end *peer;
    int eof, dead, await, connecting; /* await: CONNECT not answered yet */
    unsigned mask, pend;              /* pend: bytes waiting to go out of fd */
    unsigned off;
    char *stash; /* those bytes, without splice */
};

static int ep, edge, quick, use_splice, answer, port_up, naddr = 1;
static char buf[MAXCHUNK];
static int chunk = MAXCHUNK;
static struct end *pool[65536], *graves[65536];
static int npool, ngraves;

static void watch(struct end *e, unsigned m)
{
    if (edge || e->mask == m)
        return;
    struct epoll_event ev = { .events = m, .data.ptr = e };
    epoll_ctl(ep, EPOLL_CTL_MOD, e->fd, &ev);
    e->mask = m;
}

static void add(struct end *e)
{
    struct epoll_event ev = { .events = edge ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN,
                              .data.ptr = e };
    e->mask = ev.events;
    epoll_ctl(ep, EPOLL_CTL_ADD, e->fd, &ev);
}

static struct end *end_new(int fd)
{
    struct end *e = calloc(1, sizeof *e);
    e->fd = fd;
    e->pfd[0] = -1;
    if (use_splice) {
        if (pipe2(e->pfd, O_NONBLOCK))
            die("pipe");
        fcntl(e->pfd[1], F_SETPIPE_SZ, 1 << 20);
    }
    return e;
}

static struct end *upstream(void)
{
    static unsigned turn;
    int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port_up),
                             .sin_addr.s_addr = htonl(0x7f000001 + turn++ % naddr) };
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s, (void *)&a, sizeof a) && errno != EINPROGRESS)
        die("connect");
    struct end *e = end_new(s);
    add(e);
    return e;
}

static void bury(struct end *e)
{
    if (e->dead)
        return;
    e->dead = 1;
    close(e->fd);
    if (e->pfd[0] >= 0) {
        close(e->pfd[0]);
        close(e->pfd[1]);
    }
    free(e->stash);
    e->stash = NULL;
    graves[ngraves++] = e;
}

static void both(struct end *e)
{
    if (e->peer)
        bury(e->peer);
    bury(e);
}

/* push what waits for e out of e; 1 done, 0 has to wait, -1 broken */
static int drain(struct end *e)
{
    while (e->pend) {
        ssize_t n = use_splice ? splice(e->pfd[0], NULL, e->fd, NULL, e->pend,
                                        SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                               : send(e->fd, e->stash + e->off, e->pend, MSG_NOSIGNAL);
        if (n <= 0) {
            if (n < 0 && errno == EAGAIN)
                return 0;
            return -1;
        }
        e->pend -= n;
        e->off += n;
    }
    return 1;
}

/* n bytes of buf for o: what does not go out at once waits in its stash. False: it is broken. */
static int pass(struct end *o, ssize_t n)
{
    ssize_t w = send(o->fd, buf, n, MSG_NOSIGNAL);
    if (w < 0 && errno != EAGAIN)
        return 0;
    if (w < 0)
        w = 0;
    if (w < n) {
        if (!o->stash)
            o->stash = malloc(CHUNK);
        memcpy(o->stash, buf + w, n - w);
        o->off = 0;
        o->pend = n - w;
    }
    return 1;
}

static void end_of_stream(struct end *e)
{
    e->eof = 1;
    if (e->peer->eof || quick) {
        both(e);
        return;
    }
    shutdown(e->peer->fd, SHUT_WR);
    watch(e, 0);
}

/* bytes came in on e: hand them to its peer */
static void pump(struct end *e)
{
    struct end *o = e->peer;
    for (;;) {
        if (o->pend || e->eof)
            return;
        ssize_t n = use_splice ? splice(e->fd, NULL, o->pfd[1], NULL, 1 << 20,
                                        SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                               : recv(e->fd, buf, CHUNK, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n == 0) {
            end_of_stream(e);
            return;
        }
        if (n > 0 && use_splice)
            o->pend = n;
        int r = n < 0 || (!use_splice && !pass(o, n)) ? -1 : drain(o);
        if (r < 0) {
            both(e);
            return;
        }
        if (r == 0) {
            watch(e, e->mask & ~EPOLLIN);
            watch(o, o->mask | EPOLLOUT);
            return;
        }
        if (!edge || n < (use_splice ? 1 : CHUNK))
            return;
    }
}

static void accept_all(int ls)
{
    int fd;
    while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct end *c = end_new(fd);
        add(c);
        c->await = answer;
        if (!answer) {
            c->peer = npool ? pool[--npool] : upstream();
            c->peer->peer = c;
        }
    }
}

/* The first message of a client, with -c: to the origin. */
static void begin(struct end *e, unsigned m)
{
    if (!(m & EPOLLIN) || e->peer)
        return;
    if (recv(e->fd, buf, CHUNK, 0) <= 0) {
        both(e);
        return;
    }
    e->peer = upstream();
    e->peer->peer = e;
    e->peer->connecting = 1;
    watch(e, 0);
    watch(e->peer, EPOLLOUT);
}

/* The connection to the origin, with -c: the client is told. */
static void connected(struct end *e, unsigned m)
{
    static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    if (m & (EPOLLERR | EPOLLHUP)) {
        both(e);
        return;
    }
    if (!(m & EPOLLOUT))
        return;
    e->connecting = 0;
    e->peer->await = 0;
    watch(e, EPOLLIN);
    watch(e->peer, EPOLLIN);
    if (send(e->peer->fd, ok, sizeof ok - 1, MSG_NOSIGNAL) < 0)
        both(e);
}

static void relay(struct end *e, unsigned m)
{
    if (e->pend && (m & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        int r = drain(e);
        if (r < 0) {
            both(e);
            return;
        }
        if (r > 0) {
            watch(e, e->mask & ~EPOLLOUT);
            watch(e->peer, e->peer->mask | EPOLLIN);
            if (edge)
                pump(e->peer);
            if (e->dead)
                return;
        }
    }
    if (m & (EPOLLIN | EPOLLHUP | EPOLLERR))
        pump(e);
}

static void event(struct end *e, unsigned m)
{
    if (e->dead)
        return;
    if (e->await)
        begin(e, m);
    else if (e->peer && e->connecting)
        connected(e, m);
    else if (e->peer)
        relay(e, m);
}

static int listener(int port)
{
    int ls = listen_on(INADDR_LOOPBACK, port, SOCK_NONBLOCK);
    struct epoll_event ev = { .events = EPOLLIN };
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
    return ls;
}

/* How many connections are made beforehand; -1: not understood. */
static int options(int argc, char **argv)
{
    int o, want = 0;
    while ((o = getopt(argc, argv, "cesqp:n:b:")) > 0)
        switch (o) {
        case 'c': answer = 1; break;
        case 'e': edge = 1; break;
        case 'q': quick = 1; break;
        case 's': use_splice = 1; break;
        case 'p': want = atoi(optarg); break;
        case 'b': chunk = atoi(optarg) < MAXCHUNK ? atoi(optarg) : MAXCHUNK; break;
        case 'n': naddr = atoi(optarg); break;
        default: return -1;
        }
    if (argc - optind == 2)
        return want;
    fprintf(stderr, "usage: relay [-c] [-e] [-q] [-s] [-b N] [-p N] [-n N] LISTEN ORIGIN\n");
    return -1;
}

int main(int argc, char **argv)
{
    int want = options(argc, argv);
    if (want < 0)
        return 2;
    port_up = atoi(argv[optind + 1]);
    open_many_files();
    signal(SIGPIPE, SIG_IGN);
    ep = epoll_create1(0);
    int ls = listener(atoi(argv[optind]));
    while (npool < want)
        pool[npool++] = upstream();

    static struct epoll_event evs[512];
    for (;;) {
        int n = epoll_wait(ep, evs, 512, -1);
        for (int i = 0; i < n; i++) {
            if (evs[i].data.ptr)
                event(evs[i].data.ptr, evs[i].events);
            else
                accept_all(ls);
        }
        while (ngraves)
            free(graves[--ngraves]);
    }
}
