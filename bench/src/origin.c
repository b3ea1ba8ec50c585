/*
 * origin - a fast HTTP/1.1 server that answers from memory, one epoll thread.
 *
 *   origin PORT [ADDRESSES]
 *
 * Listens on 127.0.0.1 .. 127.0.0.ADDRESSES (16 unless told). A path (or a
 * full URL, as a parent proxy gets it) chooses the answer:
 *   .../b/N...   N bytes, not cacheable
 *   .../c/N...   N bytes, cacheable for a day
 *   /stats       the number of requests answered so far, and of bytes of their bodies, as text
 *   any other    1024 bytes, not cacheable
 * Keeps connections open, answers pipelined requests in order, honours
 * "Connection: close" and HTTP/1.0. Large bodies go out with sendfile from a
 * memory file, so that the origin is never what a bulk run measures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sockets.h"

#define INBUF 8192
#define OUTBUF 65536
#define SMALL 8192 /* bodies up to this are copied next to the head */
#define FILESZ (4u << 20)

struct conn {
    int fd, in, out, sent, closing, want_out;
    uint64_t file_left; /* body bytes still to come from the memory file */
    char *obuf;         /* only while output is pending */
    char ibuf[INBUF];
};

static int ep, memfd;
static unsigned long long served, body_bytes;
static char body[SMALL], date[64];
static char scratch[OUTBUF];

static void tick(void)
{
    static time_t last;
    time_t now = time(NULL);
    if (now == last)
        return;
    last = now;
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static void drop(struct conn *c)
{
    close(c->fd);
    free(c->obuf);
    free(c);
}

static void arm(struct conn *c, int out)
{
    if (c->want_out == out)
        return;
    struct epoll_event ev = { .events = out ? EPOLLOUT : EPOLLIN, .data.ptr = c };
    c->want_out = out;
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}

/* 1: everything is out, 0: has to wait, -1: connection gone */
static int flush(struct conn *c, const char *buf)
{
    while (c->sent < c->out) {
        ssize_t n = send(c->fd, buf + c->sent, c->out - c->sent,
                         MSG_NOSIGNAL | (c->file_left ? MSG_MORE : 0));
        if (n < 0) {
            if (errno == EAGAIN)
                return 0;
            return -1;
        }
        c->sent += n;
    }
    c->sent = c->out = 0;
    while (c->file_left) {
        off_t off = 0;
        size_t want = c->file_left < FILESZ ? c->file_left : FILESZ;
        /* keep each call short, so that several streams share the thread */
        ssize_t n = sendfile(c->fd, memfd, &off, want > (1u << 20) ? 1u << 20 : want);
        if (n < 0) {
            if (errno == EAGAIN)
                return 0;
            return -1;
        }
        if (n == 0)
            return -1;
        c->file_left -= n;
        if (n == 1 << 20 && c->file_left)
            return 0;
    }
    return 1;
}

static uint64_t size_of(const char *p, const char *end, int *cacheable)
{
    *cacheable = 0;
    if (p < end && *p != '/') { /* full URL: skip scheme://host */
        const char *s = memmem(p, end - p, "://", 3);
        if (s)
            p = memchr(s + 3, '/', end - s - 3);
        if (!s || !p)
            return 1024;
    }
    if (end - p < 4 || p[2] != '/' || (p[1] != 'b' && p[1] != 'c'))
        return 1024;
    *cacheable = p[1] == 'c';
    uint64_t n = 0;
    for (p += 3; p < end && *p >= '0' && *p <= '9'; p++)
        n = n * 10 + (*p - '0');
    return n;
}

/* "Connection: close", or HTTP/1.0 that does not ask to be kept. */
static int wants_close(const char *eol, const char *end, int old)
{
    if (old)
        return !memmem(eol, end - eol, "eep-", 4) && !memmem(eol, end - eol, "eep-A", 5);
    return memmem(eol, end - eol, "onnection: close", 16) ||
           memmem(eol, end - eol, "onnection: Close", 16);
}

/* The request from req to the empty line at end: its answer behind what is in buf already. 0: more
 * have to wait, -1: it is none. */
static int answer(struct conn *c, char *buf, const char *req, const char *end)
{
    const char *eol = memchr(req, '\r', end + 1 - req);
    const char *sp = memchr(req, ' ', eol - req);
    const char *sp2 = sp ? memchr(sp + 1, ' ', eol - sp - 1) : NULL;
    if (!sp2)
        return -1;
    int cacheable, head = !memcmp(req, "HEAD ", 5), old = eol[-1] == '0';
    uint64_t n = size_of(sp + 1, sp2, &cacheable);
    char count[48] = "";
    c->closing = wants_close(eol, end, old);
    if (sp2 - sp == 7 && !memcmp(sp + 1, "/stats", 6)) {
        n = snprintf(count, sizeof count, "%llu %llu\n", served, body_bytes);
    } else {
        served++;
        body_bytes += head ? 0 : n;
    }
    c->out += snprintf(buf + c->out, OUTBUF - c->out,
                       "HTTP/1.1 200 OK\r\nDate: %s\r\nServer: origin\r\n"
                       "Content-Type: application/octet-stream\r\n"
                       "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
                       "Cache-Control: %s\r\n%sContent-Length: %llu\r\n\r\n",
                       date, cacheable ? "public, max-age=86400" : "no-store",
                       c->closing ? "Connection: close\r\n"
                       : old      ? "Connection: keep-alive\r\n"
                                  : "",
                       (unsigned long long)n);
    n = head ? 0 : n;
    if (n > SMALL) {
        c->file_left = n;
        return 0;
    }
    memcpy(buf + c->out, *count ? count : body, n);
    c->out += n;
    return OUTBUF - c->out >= SMALL + 1024;
}

/* Answers to all that is in and fits. 0: some had to wait, -1: the connection is gone. */
static int answer_all(struct conn *c, char *buf)
{
    int used = 0, more = 1;
    while (more && !c->closing) {
        char *end = memmem(c->ibuf + used, c->in - used, "\r\n\r\n", 4);
        if (!end)
            break;
        more = answer(c, buf, c->ibuf + used, end);
        if (more < 0)
            break;
        used = end + 4 - c->ibuf;
    }
    if (more < 0 || (!used && c->in == INBUF)) {
        drop(c);
        return -1;
    }
    if (used) {
        memmove(c->ibuf, c->ibuf + used, c->in - used);
        c->in -= used;
    }
    return more;
}

/* What did not go out at once waits in a buffer of its own. */
static void wait_for_room(struct conn *c)
{
    if (!c->obuf && c->out) {
        c->obuf = malloc(OUTBUF);
        memcpy(c->obuf, scratch, c->out);
    }
    arm(c, 1);
}

static void serve(struct conn *c)
{
    for (;;) {
        char *buf = c->obuf ? c->obuf : scratch;
        int more = answer_all(c, buf);
        if (more < 0 || (!c->out && !c->file_left))
            return;
        int r = flush(c, buf);
        if (r < 0) {
            drop(c);
            return;
        }
        if (r == 0) {
            wait_for_room(c);
            return;
        }
        free(c->obuf);
        c->obuf = NULL;
        if (c->closing)
            shutdown(c->fd, SHUT_WR);
        arm(c, 0);
        if (c->closing || more)
            return;
    }
}

static void accept_all(int ls)
{
    int fd;
    while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct conn *k = malloc(sizeof *k);
        memset(k, 0, offsetof(struct conn, ibuf));
        k->fd = fd;
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = k };
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

static void go_on(struct conn *c) /* there is room again */
{
    int r = flush(c, c->obuf);
    if (r < 0) {
        drop(c);
    } else if (r > 0) {
        free(c->obuf);
        c->obuf = NULL;
        arm(c, 0);
        if (c->closing)
            shutdown(c->fd, SHUT_WR);
        else
            serve(c);
    }
}

static void input(struct conn *c)
{
    ssize_t r = recv(c->fd, c->ibuf + c->in, INBUF - c->in, 0);
    if (r < 0 && errno == EAGAIN)
        return;
    if (r <= 0) {
        drop(c);
        return;
    }
    if (c->closing)
        return;
    c->in += r;
    serve(c);
}

static void make_bodies(void)
{
    for (int i = 0; i < SMALL; i++)
        body[i] = "abcdefghijklmnopqrstuvwxyz012345"[(i * 7 + i / 32) & 31];
    memfd = memfd_create("origin", 0);
    for (unsigned i = 0; i < FILESZ / SMALL; i++)
        if (write(memfd, body, SMALL) != SMALL)
            die("memfd");
}

static void add_listener(struct conn *c, uint32_t address, int port)
{
    c->fd = listen_on(address, port, SOCK_NONBLOCK);
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fprintf(stderr, "usage: origin PORT [ADDRESSES]\n"), 2;
    int port = atoi(argv[1]), naddr = argc > 2 ? atoi(argv[2]) : 16;
    open_many_files();
    signal(SIGPIPE, SIG_IGN);
    make_bodies();
    ep = epoll_create1(0);
    static struct conn listeners[64];
    for (int i = 0; i < naddr && i < 64; i++)
        add_listener(&listeners[i], INADDR_LOOPBACK + i, port);
    static struct epoll_event evs[512];
    for (;;) {
        int n = epoll_wait(ep, evs, 512, 1000);
        tick();
        for (int i = 0; i < n; i++) {
            struct conn *c = evs[i].data.ptr;
            if (c >= listeners && c < listeners + 64)
                accept_all(c->fd);
            else if (c->want_out)
                go_on(c);
            else
                input(c);
        }
    }
}
