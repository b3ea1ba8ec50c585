/*
 * uring - the floor on io_uring: what relay.c does, with multishot accept and
 * receive, a provided buffer ring, registered files and deferred task work.
 *
 *   uring [-1] [-x] [-b BUFSIZE] [-p POOL] [-n ADDRESSES] LISTEN_PORT ORIGIN_PORT
 *
 *   -1  one receive at a time per direction (bulk) instead of multishot
 *   -x  do not register the files (short connections)
 *   -b  bytes per buffer (4096); -p, -n as in relay
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"

enum { ACCEPT, CONNECT, RECV, SEND, CLOSE };
#define NBUF 1024
#define QLEN 64
#define MAXFD 65536

struct end {
    int peer, eof, sending, refs, gone, recving, starved;
    unsigned head, tail, off; /* queue of buffers to send on this fd */
    struct {
        unsigned short bid;
        unsigned len;
    } q[QLEN];
};

static struct io_uring ring;
static struct io_uring_buf_ring *br;
static char *bufs;
static unsigned bufsz = 4096;
static int single, plain, port_up, naddr = 1, nbuf = NBUF;
static struct end *ends[MAXFD];
static int pool[MAXFD], npool, starving;

/* Of a call of liburing, which tells an error as a negative errno. */
static void must(const char *what, int result)
{
    errno = -result;
    if (result < 0)
        die(what);
}

static struct io_uring_sqe *sqe(void)
{
    struct io_uring_sqe *s;
    while (!(s = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    s->user_data = 0;
    return s;
}

static void tag(struct io_uring_sqe *s, int op, int fd)
{
    io_uring_sqe_set_data64(s, (uint64_t)fd << 3 | op);
    if (!plain && op != ACCEPT && op != CONNECT && op != CLOSE)
        s->flags |= IOSQE_FIXED_FILE;
}

static void arm_recv(int fd)
{
    struct io_uring_sqe *s = sqe();
    if (single)
        io_uring_prep_recv(s, fd, NULL, bufsz, 0);
    else
        io_uring_prep_recv_multishot(s, fd, NULL, 0, 0);
    s->ioprio |= IORING_RECVSEND_POLL_FIRST;
    s->flags |= IOSQE_BUFFER_SELECT;
    s->buf_group = 0;
    tag(s, RECV, fd);
    ends[fd]->recving = 1;
    ends[fd]->refs++;
}

static void give(unsigned bid)
{
    io_uring_buf_ring_add(br, bufs + (size_t)bid * bufsz, bufsz, bid, io_uring_buf_ring_mask(nbuf),
                          0);
    io_uring_buf_ring_advance(br, 1);
}

static void send_next(int fd)
{
    struct end *e = ends[fd];
    struct io_uring_sqe *s = sqe();
    unsigned i = e->head % QLEN;
    io_uring_prep_send(s, fd, bufs + (size_t)e->q[i].bid * bufsz + e->off, e->q[i].len - e->off,
                       MSG_NOSIGNAL | MSG_WAITALL);
    tag(s, SEND, fd);
    e->sending = 1;
    e->refs++;
}

static void adopt(int fd)
{
    ends[fd] = calloc(1, sizeof(struct end));
    if (!plain)
        must("files_update", io_uring_register_files_update(&ring, fd, &fd, 1));
}

static int upstream(int connected)
{
    static unsigned turn;
    static struct sockaddr_in a[64];
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0), k = turn++ % naddr;
    a[k].sin_family = AF_INET;
    a[k].sin_port = htons(port_up);
    a[k].sin_addr.s_addr = htonl(0x7f000001 + k);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    adopt(s);
    if (connected) {
        if (connect(s, (void *)&a[k], sizeof a[k]))
            die("connect");
    } else {
        struct io_uring_sqe *q = sqe();
        io_uring_prep_connect(q, s, (void *)&a[k], sizeof a[k]);
        tag(q, CONNECT, s);
        ends[s]->refs++;
    }
    return s;
}

static void pair(int c, int u)
{
    ends[c]->peer = u;
    ends[u]->peer = c;
    arm_recv(c);
    arm_recv(u);
}

static void reap(int fd)
{
    struct end *e = ends[fd];
    if (!e || !e->gone || e->refs)
        return;
    if (!plain) {
        int none = -1;
        io_uring_register_files_update(&ring, fd, &none, 1);
    }
    if (ends[e->peer] && ends[e->peer]->peer == fd)
        ends[e->peer]->peer = 0; /* the survivor must not name a reused fd */
    ends[fd] = NULL;
    free(e);
    if (plain) {
        struct io_uring_sqe *s = sqe();
        io_uring_prep_close(s, fd);
        s->flags |= IOSQE_CQE_SKIP_SUCCESS;
        tag(s, CLOSE, fd);
    } else {
        close(fd);
    }
}

static void doom(int fd)
{
    struct end *e = ends[fd];
    if (!e || e->gone)
        return;
    e->gone = 1;
    if (e->recving || e->sending)
        shutdown(fd, SHUT_RDWR); /* ends the armed receive */
}

static void both(int fd)
{
    int p = ends[fd]->peer;
    doom(fd);
    doom(p);
    reap(fd);
    reap(p);
}

static void settle(int fd) /* after an end of stream or a last send */
{
    struct end *e = ends[fd], *p = ends[e->peer];
    if (!p || !e->eof || p->sending || p->head != p->tail)
        return;
    if (p->eof && !e->sending && e->head == e->tail)
        both(fd);
    else if (!p->gone)
        shutdown(e->peer, SHUT_WR);
}

static void arm_accept(int ls)
{
    struct io_uring_sqe *s = sqe();
    io_uring_prep_multishot_accept(s, ls, NULL, NULL, 0);
    tag(s, ACCEPT, ls);
}

static void accepted(int ls, int fd, unsigned fl)
{
    if (fd >= 0) {
        adopt(fd);
        if (npool) {
            pair(fd, pool[--npool]);
        } else {
            int u = upstream(0);
            ends[fd]->peer = u;
            ends[u]->peer = fd;
        }
    }
    if (!(fl & IORING_CQE_F_MORE))
        arm_accept(ls);
}

static void connected(int fd, int res)
{
    ends[fd]->refs--;
    if (res < 0)
        both(fd);
    else
        pair(ends[fd]->peer, fd);
}

static void no_bytes(int fd, int res, unsigned fl) /* an end of stream, or an error */
{
    struct end *e = ends[fd];
    if (fl & IORING_CQE_F_BUFFER)
        give(fl >> IORING_CQE_BUFFER_SHIFT);
    e->eof = 1;
    if (res < 0 || e->gone)
        both(fd);
    else
        settle(fd);
}

static void received(int fd, int res, unsigned fl)
{
    struct end *e = ends[fd];
    if (!(fl & IORING_CQE_F_MORE)) {
        e->recving = 0;
        e->refs--;
    }
    if (res == -ENOBUFS) {
        e->starved = 1;
        starving++;
        return;
    }
    if (res <= 0) {
        no_bytes(fd, res, fl);
        return;
    }
    struct end *q = ends[e->peer];
    unsigned bid = fl >> IORING_CQE_BUFFER_SHIFT;
    if (e->gone || !q || q->gone || q->tail - q->head == QLEN) {
        give(bid);
        both(fd);
        return;
    }
    q->q[q->tail % QLEN].bid = bid;
    q->q[q->tail++ % QLEN].len = res;
    if (!q->sending)
        send_next(e->peer);
    if (!(fl & IORING_CQE_F_MORE) && !single)
        arm_recv(fd);
}

static void sent(int fd, int res)
{
    struct end *e = ends[fd];
    e->refs--;
    e->sending = 0;
    if (res > 0)
        e->off += res;
    if (res > 0 && e->off < e->q[e->head % QLEN].len && !e->gone) {
        send_next(fd);
        return;
    }
    e->off = 0;
    give(e->q[e->head++ % QLEN].bid);
    if (res <= 0 || e->gone) {
        while (e->head != e->tail)
            give(e->q[e->head++ % QLEN].bid);
        both(fd);
        return;
    }
    int peer = e->peer;
    if (e->head != e->tail)
        send_next(fd);
    else if (!ends[peer])
        both(fd);
    else if (ends[peer]->eof)
        settle(peer);
    else if (single && !ends[peer]->recving)
        arm_recv(peer);
}

static void event(int op, int fd, int res, unsigned fl)
{
    switch (op) {
    case ACCEPT: accepted(fd, res, fl); break;
    case CONNECT: connected(fd, res); break;
    case RECV: received(fd, res, fl); break;
    case SEND: sent(fd, res); break;
    }
}

static void feed_the_starved(void)
{
    starving = 0;
    for (int i = 0; i < MAXFD; i++)
        if (ends[i] && ends[i]->starved) {
            ends[i]->starved = 0;
            if (!ends[i]->gone)
                arm_recv(i);
        }
}

/* How many connections are made beforehand; -1: not understood. */
static int options(int argc, char **argv)
{
    int o, want = 0;
    while ((o = getopt(argc, argv, "1xb:p:n:")) > 0)
        switch (o) {
        case '1': single = 1; break;
        case 'x': plain = 1; break;
        case 'b': bufsz = atoi(optarg); break;
        case 'p': want = atoi(optarg); break;
        case 'n': naddr = atoi(optarg); break;
        default: return -1;
        }
    if (argc - optind == 2)
        return want;
    fprintf(stderr, "usage: uring [-1] [-x] [-b N] [-p N] [-n N] LISTEN ORIGIN\n");
    return -1;
}

static void make_ring(void)
{
    size_t files = open_many_files();
    struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                          IORING_SETUP_CQSIZE,
                                 .cq_entries = 8192 };
    must("io_uring", io_uring_queue_init_params(1024, &ring, &p));
    if (!plain)
        must("files", io_uring_register_files_sparse(&ring, files < MAXFD ? files : MAXFD));
    io_uring_register_ring_fd(&ring);
}

static void make_buffers(void)
{
    if (bufsz > 65536)
        nbuf = 64;
    must("buffers", -posix_memalign((void **)&br, 4096, nbuf * sizeof(struct io_uring_buf)));
    must("buffers", -posix_memalign((void **)&bufs, 4096, (size_t)nbuf * bufsz));
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)br, .ring_entries = nbuf, .bgid = 0 };
    must("buf_ring", io_uring_register_buf_ring(&ring, &reg, 0));
    io_uring_buf_ring_init(br);
    for (int i = 0; i < nbuf; i++)
        give(i);
}

int main(int argc, char **argv)
{
    int want = options(argc, argv);
    if (want < 0)
        return 2;
    port_up = atoi(argv[optind + 1]);
    signal(SIGPIPE, SIG_IGN);
    make_ring();
    make_buffers();
    int ls = listen_on(INADDR_LOOPBACK, atoi(argv[optind]), 0);
    while (npool < want)
        pool[npool++] = upstream(1);
    arm_accept(ls);
    for (;;) {
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *cqe;
        unsigned head, n = 0;
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            event(cqe->user_data & 7, cqe->user_data >> 3, cqe->res, cqe->flags);
            n++;
        }
        io_uring_cq_advance(&ring, n);
        if (starving)
            feed_the_starved();
    }
}
