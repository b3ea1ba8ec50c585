/*
 * What is asked for: the requests, made before the run, and which comes next. With -q a request is
 * made of the first by writing a number over 16 digits, so that no target comes twice and none
 * costs an allocation.
 */
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    char *p;
    int n;
} * reqs, tun[16];
static unsigned nreq, next_req, next_tun;
static uint64_t serial;

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

/* One target a line. */
static void read_targets(const char *file)
{
    char line[4096];
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
}

static void make_targets(unsigned kinds)
{
    char line[4096];
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

void prepare(unsigned kinds, const char *file)
{
    char line[4096];
    struct timespec date;
    clock_gettime(CLOCK_REALTIME, &date);
    serial = date.tv_sec * 1000000ull + date.tv_nsec / 1000;
    if (file)
        read_targets(file);
    else
        make_targets(kinds);
    for (int i = 0; tunnel && i < 16; i++) {
        subst(line, sizeof line, tunnel, i + 1);
        tun[i].n = asprintf(&tun[i].p, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", line, line);
    }
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

int next_request(struct conn *c, struct payload *out)
{
    if (once && next_req >= nreq)
        return 0;
    unsigned i = next_req++ % nreq;
    *out = (struct payload){ unique ? numbered(c) : reqs[i].p, reqs[i].n };
    return 1;
}

struct payload next_tunnel(void)
{
    unsigned i = next_tun++ % 16;
    return (struct payload){ tun[i].p, tun[i].n };
}
