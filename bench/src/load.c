/*
 * load - the load generator: one epoll thread, closed loop.
 *
 *   load MODE [options] PORT
 *
 * MODE
 *   http   keep-alive requests, one outstanding per connection
 *   conn   a new connection per exchange: connect, [TLS], [CONNECT], one
 *          request, one answer, close
 *   bulk   every connection asks once for a huge body and throws it away
 *   idle   open the connections (each does one exchange), print the result,
 *          hold them until stdin ends
 * options
 *   -c N     connections (64)              -d SECS  how long (5)
 *   -u URL   request target; %u in it is replaced by 0 .. K-1
 *   -k K     number of different targets (1)
 *   -q       no target twice, not in another run either: %u is the time, and counts on
 *   -f FILE  targets from a file, one per line
 *   -o       each target once, in order, then end (-d is the longest that it may take)
 *   -H TEXT  a further header line, may be repeated
 *   -t A:P   ask for a CONNECT tunnel to A:P first; %u is replaced by 1..16
 *   -T       TLS (no session reuse)
 *   -s CODE  expected status (200)
 *   -m N     connections being opened at the same time, idle mode (64)
 *   -S N     spread source addresses over 127.0.0.1 .. 127.0.0.N (1)
 *   -r N     at most N requests a second, for one connection (http mode)
 *
 * Prints one line of JSON. Latency is per request; in conn mode from
 * connect() to the end of the answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HTTP, CONN, BULK, IDLE };
enum { DOWN, CONNECTING, SHAKING, TUNNEL, ANSWER, BODY, CHUNKED, TOEOF, RESTING };

#define IN 16384
struct conn {
    int fd, state, fresh;
    unsigned mask, have;
    SSL *ssl;
    uint64_t begun, left;
    int chunk; /* chunked: 0 size line, 1 data, 2 trailer */
    int close_after;
    int pay_off, pay_len; /* unsent part of a request */
    const char *pay;
    char *own; /* with -q the request, which is nobody else's */
    char in[IN];
};

static int mode, nconn = 64, port, use_tls, expect = 200, nsrc = 1, opening = 64, ep;
static int quitting, once, unique;
static uint64_t serial;
static double secs = 5, rate;
static const char *target = "/", *tunnel;
static char extra[2048];
static struct {
    char *p;
    int n;
} * reqs, tun[16];
static unsigned nreq, next_req, next_tun, next_src;
static SSL_CTX *ctx;
static uint64_t done, bytes, errs, bad, reconn, opened, conns_made;
static int last_bad, first_errno;

/* latency: 64 steps per power of two, in ns */
#define NB (64 * 44)
static uint64_t hist[NB], nlat;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void lat(uint64_t ns)
{
    int e = 63 - __builtin_clzll(ns | 64), i = (e - 6) * 64 + ((ns >> (e - 6)) & 63);
    hist[i < NB ? i : NB - 1]++;
    nlat++;
}

static double pct(double p)
{
    uint64_t want = (uint64_t)(nlat * p), sum = 0;
    for (int i = 0; i < NB; i++)
        if ((sum += hist[i]) > want)
            return (double)((uint64_t)(64 + i % 64) << (i / 64)) / 1000;
    return 0;
}

static void die(const char *s)
{
    perror(s);
    exit(1);
}

static int format(char **out, const char *url)
{
    char host[300];
    const char *s = strstr(url, "://");
    if (s) {
        size_t n = strcspn(s + 3, "/");
        snprintf(host, sizeof host, "%.*s", (int)n, s + 3);
    } else {
        snprintf(host, sizeof host, "127.0.0.1:%d", port);
    }
    return asprintf(out,
                    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nAccept: */*\r\n%s\r\n",
                    url, host, extra);
}

static void subst(char *dst, size_t n, const char *s, unsigned v)
{
    const char *m = strstr(s, "%u");
    if (m)
        snprintf(dst, n, "%.*s%u%s", (int)(m - s), s, v, m + 2);
    else
        snprintf(dst, n, "%s", s);
}

static void prepare(unsigned kinds, const char *file)
{
    char line[4096];
    if (file) {
        FILE *f = fopen(file, "r");
        if (!f)
            die(file);
        size_t cap = 0;
        while (fgets(line, sizeof line, f)) {
            line[strcspn(line, "\r\n")] = 0;
            if (!*line)
                continue;
            if (nreq == cap)
                reqs = realloc(reqs, sizeof *reqs * (cap = cap ? cap * 2 : 1024));
            reqs[nreq].n = format(&reqs[nreq].p, line);
            nreq++;
        }
        fclose(f);
        /* start elsewhere in each run, lest a memory of results looks good */
        next_req = nreq && !once ? (unsigned)(now() / 1000) % nreq : 0;
    } else {
        reqs = calloc(kinds, sizeof *reqs);
        for (; nreq < kinds; nreq++) {
            if (unique)
                snprintf(line, sizeof line, "%.*s0000000000000000%s",
                         (int)(strstr(target, "%u") - target), target, strstr(target, "%u") + 2);
            else
                subst(line, sizeof line, target, nreq);
            reqs[nreq].n = format(&reqs[nreq].p, line);
        }
    }
    for (int i = 0; tunnel && i < 16; i++) {
        subst(line, sizeof line, tunnel, i + 1);
        tun[i].n = asprintf(&tun[i].p, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", line, line);
    }
}

static void watch(struct conn *c, unsigned m)
{
    struct epoll_event ev = { .events = m, .data.ptr = c };
    if (c->mask != m)
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
    c->mask = m;
}

static void start(struct conn *c);

static void stop(struct conn *c)
{
    if (c->ssl) {
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    close(c->fd);
    c->fd = -1;
    c->state = DOWN;
}

static void fail(struct conn *c, int e)
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

static ssize_t rd(struct conn *c, char *p, size_t n)
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

/* The first request with the serial number, of 16 digits, in it. */
static const char *numbered(struct conn *c)
{
    static const char mark[] = "0000000000000000";
    static int at;
    if (!c->own) {
        c->own = malloc(reqs[0].n);
        memcpy(c->own, reqs[0].p, reqs[0].n);
        at = (char *)memmem(c->own, reqs[0].n, mark, 16) - c->own;
    }
    uint64_t v = serial++;
    for (int i = 15; i >= 0; i--, v /= 10)
        c->own[at + i] = (char)('0' + v % 10);
    return c->own;
}

static void request(struct conn *c)
{
    static int ended;
    if (once && next_req >= nreq) {
        stop(c);
        quitting = ++ended == nconn;
        return;
    }
    unsigned i = next_req++ % nreq;
    c->state = ANSWER;
    c->have = 0;
    c->pay = unique ? numbered(c) : reqs[i].p;
    c->pay_len = reqs[i].n;
    c->pay_off = 0;
    if (mode != CONN)
        c->begun = now();
    push(c);
}

static void ready(struct conn *c) /* TCP (and TLS) is up */
{
    if (tunnel) {
        unsigned i = next_tun++ % 16;
        c->state = TUNNEL;
        c->have = 0;
        c->pay = tun[i].p;
        c->pay_len = tun[i].n;
        c->pay_off = 0;
        push(c);
    } else {
        request(c);
    }
}

static void start(struct conn *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->begun = now();
    c->fresh = 1;
    if (nsrc > 1) {
        struct sockaddr_in s = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(0x7f000001 + next_src++ % nsrc) };
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (void *)&s, sizeof s))
            die("bind");
    }
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

static void finished(struct conn *c) /* a whole answer is in */
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

static const char *header(const char *h, const char *end, const char *name)
{
    size_t n = strlen(name);
    while ((h = memchr(h, '\n', end - h)) && ++h < end)
        if ((size_t)(end - h) > n && (*h | 32) == (*name | 32) && !strncasecmp(h, name, n) &&
            h[n] == ':') {
            for (h += n + 1; *h == ' '; h++)
                ;
            return h;
        }
    return NULL;
}

/* consume chunked framing; 1 when the body has ended */
static int chunks(struct conn *c)
{
    unsigned i = 0;
    int end = 0;
    while (i < c->have && !end) {
        if (c->chunk == 1) {
            uint64_t n = c->have - i < c->left ? c->have - i : c->left;
            bytes += n;
            c->left -= n;
            i += n;
            if (!c->left)
                c->chunk = 0;
            continue;
        }
        char *nl = memchr(c->in + i, '\n', c->have - i);
        if (!nl)
            break;
        unsigned len = nl + 1 - (c->in + i);
        if (c->chunk == 2) {
            end = len <= 2;
        } else if (len > 2) {
            c->left = strtoull(c->in + i, NULL, 16);
            c->chunk = c->left ? 1 : 2;
        } /* else: the line end after a chunk */
        i += len;
    }
    memmove(c->in, c->in + i, c->have - i);
    c->have -= i;
    return end;
}

static void input(struct conn *c)
{
    static char sink[1 << 16];
    for (;;) {
        if (c->state == RESTING) {
            if (rd(c, sink, sizeof sink) == 0) {
                opened--;
                fail(c, -2);
            }
            return;
        }
        ssize_t n;
        if (c->state == BODY && !c->ssl) {
            /* let the kernel throw it away */
            n = recv(c->fd, NULL, c->left > 1 << 20 ? 1 << 20 : c->left, MSG_TRUNC);
        } else if (c->state == BODY || c->state == TOEOF) {
            n = rd(c, sink, sizeof sink);
        } else {
            n = rd(c, c->in + c->have, IN - c->have);
        }
        if (n < 0) {
            if (errno == EAGAIN)
                return;
            if (mode == HTTP && !c->fresh && c->state == ANSWER && !c->have) {
                reconn++;
                stop(c);
                start(c);
                return;
            }
            fail(c, errno);
            return;
        }
        if (n == 0) {
            if (c->state == TOEOF) {
                c->close_after = 1;
                finished(c);
                return;
            }
            if (mode == HTTP && !c->fresh && c->state == ANSWER && !c->have) {
                reconn++;
                stop(c);
                if (!quitting)
                    start(c);
                return;
            }
            if (mode == BULK && quitting) {
                stop(c);
                return;
            }
            fail(c, -1);
            return;
        }
        switch (c->state) {
        case BODY:
            bytes += n;
            c->left -= n;
            if (!c->left) {
                finished(c);
                return;
            }
            break;
        case TOEOF: bytes += n; break;
        case CHUNKED:
            c->have += n;
            if (chunks(c)) {
                finished(c);
                return;
            }
            break;
        default: {
            c->have += n;
            char *e = memmem(c->in, c->have, "\r\n\r\n", 4);
            if (!e) {
                if (c->have == IN)
                    fail(c, EMSGSIZE);
                else
                    continue;
                return;
            }
            e += 4;
            int code = c->have > 12 ? atoi(c->in + 9) : 0;
            if (code == 100) {
                memmove(c->in, e, c->have - (e - c->in));
                c->have -= e - c->in;
                continue;
            }
            if (c->state == TUNNEL) {
                if (code != 200) {
                    bad++;
                    last_bad = code;
                    fail(c, EPROTO);
                    return;
                }
                request(c);
                return;
            }
            if (code != expect) {
                bad++;
                last_bad = code;
            }
            const char *cl = header(c->in, e, "content-length"),
                       *co = header(c->in, e, "connection");
            c->close_after = (co && !strncasecmp(co, "close", 5)) || (c->in[7] == '0' && !co);
            unsigned rest = c->have - (e - c->in);
            if (cl) {
                c->left = strtoull(cl, NULL, 10);
                if (rest > c->left)
                    rest = c->left;
                bytes += rest;
                c->left -= rest;
                c->state = BODY;
                if (!c->left) {
                    finished(c);
                    return;
                }
            } else if (header(c->in, e, "transfer-encoding")) {
                memmove(c->in, e, rest);
                c->have = rest;
                c->chunk = 0;
                c->state = CHUNKED;
                if (chunks(c)) {
                    finished(c);
                    return;
                }
            } else {
                bytes += rest;
                c->state = TOEOF;
            }
            /* mostly nothing more is there yet, except in a bulk run */
            if (c->state == BODY && !c->ssl && c->left < 65536)
                continue;
            break;
        }
        }
        if (mode == BULK && !c->ssl)
            return; /* share the thread between streams */
    }
}

static void event(struct conn *c, unsigned m)
{
    if (c->state == DOWN)
        return;
    if (c->state == CONNECTING) {
        int e = 0;
        socklen_t l = sizeof e;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &l);
        if (e) {
            fail(c, e);
            return;
        }
        if (c->ssl) {
            c->state = SHAKING;
        } else {
            ready(c);
            return;
        }
    }
    if (c->state == SHAKING) {
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
        return;
    }
    if ((m & EPOLLOUT) && c->pay_off < c->pay_len)
        push(c);
    if (m & (EPOLLIN | EPOLLHUP | EPOLLERR))
        input(c);
}

int main(int argc, char **argv)
{
    static const char *names[] = { "http", "conn", "bulk", "idle" };
    unsigned kinds = 1;
    const char *file = NULL;
    int o;
    if (argc < 3)
        return fprintf(stderr, "usage: load http|conn|bulk|idle [options] PORT\n"), 2;
    for (mode = 0; mode < 4 && strcmp(argv[1], names[mode]); mode++)
        ;
    if (mode == 4)
        return fprintf(stderr, "load: unknown mode\n"), 2;
    optind = 2;
    while ((o = getopt(argc, argv, "c:d:u:k:qf:oH:t:Ts:m:S:r:")) > 0)
        switch (o) {
        case 'c': nconn = atoi(optarg); break;
        case 'd': secs = atof(optarg); break;
        case 'u': target = optarg; break;
        case 'k': kinds = atoi(optarg); break;
        case 'q': unique = 1; break;
        case 'f': file = optarg; break;
        case 'o': once = 1; break;
        case 'H':
            strncat(extra, optarg, sizeof extra - strlen(extra) - 3);
            strcat(extra, "\r\n");
            break;
        case 't': tunnel = optarg; break;
        case 'T': use_tls = 1; break;
        case 's': expect = atoi(optarg); break;
        case 'm': opening = atoi(optarg); break;
        case 'S': nsrc = atoi(optarg); break;
        case 'r': rate = atof(optarg); break;
        default: return 2;
        }
    if (optind >= argc)
        return 2;
    port = atoi(argv[optind]);
    if (unique && (file || kinds != 1 || !strstr(target, "%u")))
        return fprintf(stderr, "load: -q wants one -u with %%u in it\n"), 2;
    struct timespec date;
    clock_gettime(CLOCK_REALTIME, &date);
    serial = date.tv_sec * 1000000ull + date.tv_nsec / 1000;
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    prepare(kinds, file);
    if (use_tls) {
        ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
    }
    ep = epoll_create1(0);
    struct conn *cs = calloc(nconn, sizeof *cs);
    int begun = 0;
    uint64_t t0 = now(), t1 = t0 + (uint64_t)(secs * 1e9);
    static struct epoll_event evs[512];
    while (now() < t1) {
        if (mode == IDLE) {
            while (begun < nconn && begun < (int)(opened + errs) + opening)
                start(&cs[begun++]);
            if (opened + errs >= (uint64_t)nconn)
                break;
        } else {
            while (begun < nconn)
                start(&cs[begun++]);
        }
        if (quitting)
            break;
        int n = epoll_wait(ep, evs, 512, 100);
        for (int i = 0; i < n; i++)
            event(evs[i].data.ptr, evs[i].events);
    }
    double el = (now() - t0) / 1e9;
    quitting = 1;
    printf(
        "{\"done\": %llu, \"bytes\": %llu, \"secs\": %.4f, \"errors\": %llu, \"bad_status\": %llu, "
        "\"last_bad\": %d, \"errno\": %d, \"reconnects\": %llu, \"conns\": %llu, "
        "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
        (unsigned long long)done, (unsigned long long)bytes, el, (unsigned long long)errs,
        (unsigned long long)bad, last_bad, first_errno, (unsigned long long)reconn,
        (unsigned long long)conns_made, pct(.5), pct(.99), pct(.999));
    fflush(stdout);
    if (mode == IDLE) {
        char b[64];
        while (read(0, b, sizeof b) > 0)
            ;
    }
    return 0;
}
