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
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

int mode, nconn = 64, port, use_tls, expect = 200, nsrc = 1, once, unique;
double rate;
const char *target = "/", *tunnel;
char extra[2048];
SSL_CTX *ctx;
uint64_t done, bytes, errs, bad, reconn, opened, conns_made;
int last_bad, first_errno, quitting, ep;
static int opening = 64;
static unsigned kinds = 1;
static const char *file;
static double secs = 5;

/* latency: 64 steps per power of two, in ns */
#define NB (64 * 44)
static uint64_t hist[NB], nlat;

uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void lat(uint64_t ns)
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

static int read_mode(const char *word)
{
    static const char *names[] = { "http", "conn", "bulk", "idle" };
    for (mode = 0; mode < 4 && strcmp(word, names[mode]); mode++)
        ;
    return mode < 4;
}

/* 0: as wanted. */
static int read_options(int argc, char **argv)
{
    int o;
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
    return 0;
}

static void get_ready(void)
{
    signal(SIGPIPE, SIG_IGN);
    open_many_files();
    prepare(kinds, file);
    if (use_tls) {
        ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
    }
    ep = epoll_create1(0);
}

/* Until t1, or until all there is to do is done. */
static void run(struct conn *cs, uint64_t t1)
{
    static struct epoll_event evs[512];
    int begun = 0;
    while (now() < t1) {
        while (begun < nconn && (mode != IDLE || begun < (int)(opened + errs) + opening))
            start(&cs[begun++]);
        if (quitting || (mode == IDLE && opened + errs >= (uint64_t)nconn))
            break;
        int n = epoll_wait(ep, evs, 512, 100);
        for (int i = 0; i < n; i++)
            event(evs[i].data.ptr, evs[i].events);
    }
}

static void report(double el)
{
    printf(
        "{\"done\": %llu, \"bytes\": %llu, \"secs\": %.4f, \"errors\": %llu, \"bad_status\": %llu, "
        "\"last_bad\": %d, \"errno\": %d, \"reconnects\": %llu, \"conns\": %llu, "
        "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
        (unsigned long long)done, (unsigned long long)bytes, el, (unsigned long long)errs,
        (unsigned long long)bad, last_bad, first_errno, (unsigned long long)reconn,
        (unsigned long long)conns_made, pct(.5), pct(.99), pct(.999));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return fprintf(stderr, "usage: load http|conn|bulk|idle [options] PORT\n"), 2;
    if (!read_mode(argv[1]))
        return fprintf(stderr, "load: unknown mode\n"), 2;
    int wrong = read_options(argc, argv);
    if (wrong)
        return wrong;
    get_ready();
    struct conn *cs = calloc(nconn, sizeof *cs);
    uint64_t t0 = now();
    run(cs, t0 + (uint64_t)(secs * 1e9));
    quitting = 1;
    report((now() - t0) / 1e9);
    if (mode == IDLE) {
        char b[64];
        while (read(0, b, sizeof b) > 0)
            ;
    }
    return 0;
}
