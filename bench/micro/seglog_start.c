/*
 * Fills a folder with so many small records, as a cache on disk does, and says how long it takes to
 * find them again and what the index needs, after a proper end and after a crash, which leaves the
 * last segment without its footer:
 *   gcc -O2 -D_GNU_SOURCE -Iproxyd -I. bench/micro/seglog_start.c -o seglog_start \
 *       build/librelease.a
 *   ./seglog_start DIR [RECORDS]
 * The files are in the page cache then, as after a restart of the process alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache/disk/seglog.h"

enum { BODY = 512, META = 300 };

static struct seglog *open_log(const char *dir)
{
    char why[512];
    struct seglog *l = seglog_open(dir, 16ull << 30, why, sizeof why);
    if (l == NULL) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
    return l;
}

/* As good as what cache/key.c makes of a URL. */
static struct cache_key key_of(u64 n)
{
    u64 mixed = (n + 1) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93u;
    return (struct cache_key){ { mixed, (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u } };
}

static void fill(struct seglog *l, u64 from, u64 to)
{
    static char body[BODY], meta[META];
    struct iovec piece = { body, sizeof body };
    for (u64 n = from; n < to; n++) {
        char url[64];
        int length = snprintf(url, sizeof url, "http://h.test/%llu/x", (unsigned long long)n);
        struct seglog_record r = { .key = key_of(n),
                                   .until = (u64)time(NULL) + 86400,
                                   .vary = SLICE(""),
                                   .url = { url, (size_t)length },
                                   .tags = SLICE(""),
                                   .meta = { meta, sizeof meta },
                                   .body = &piece,
                                   .nbody = 1 };
        if (!seglog_append_record(l, &r) || (n % 64 == 63 && !seglog_flush(l))) {
            perror("append");
            exit(1);
        }
    }
    if (!seglog_flush(l))
        exit(1);
}

static u64 no_variant(void *ctx, struct slice vary)
{
    (void)ctx;
    (void)vary;
    return 0;
}

static u64 found(struct seglog *l, u64 records)
{
    u64 n = 0;
    for (u64 i = 0; i < records; i++) {
        struct cache_key key = key_of(i);
        struct seglog_place at;
        struct segment *s = seglog_find(l, &key, no_variant, NULL, &at);
        n += s != NULL;
        if (s)
            seglog_let(&s);
    }
    return n;
}

static void start(const char *dir, u64 records, const char *after)
{
    static _Atomic bool stop;
    u64 t0 = clock_us(CLOCK_MONOTONIC);
    struct seglog *l = open_log(dir);
    seglog_load(l, &stop);
    u64 took = clock_us(CLOCK_MONOTONIC) - t0;
    struct seglog_counts c = seglog_counts(l);
    u64 t1 = clock_us(CLOCK_MONOTONIC), there = found(l, records), t2 = clock_us(CLOCK_MONOTONIC);
    printf("after %s: %llu objects in %.2f s, %.1f B of index each; %llu found, %.2f us each\n",
           after, (unsigned long long)c.objects, (double)took / 1e6,
           (double)c.index_bytes / (double)c.objects, (unsigned long long)there,
           (double)(t2 - t1) / (double)records);
    seglog_close(l);
}

int main(int argc, char **argv)
{
    u64 records = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    if (argc < 2)
        return fprintf(stderr, "usage: seglog_start DIR [RECORDS]\n"), 2;
    pid_t child = fork(); /* it ends as if it had been killed */
    if (child == 0) {
        fill(open_log(argv[1]), 0, records);
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status)
        return 1;
    start(argv[1], records, "a crash");
    start(argv[1], records, "a proper end");
    return 0;
}
