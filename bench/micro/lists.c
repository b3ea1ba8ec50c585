/*
 * What lists cost: loading, memory and a look-up that finds nothing. Bounds: a million hosts in
 * 1.5 s and 25 MB, 150 ns a look-up; 10,000 regexes compiled in 10 s, 10 µs a look-up.
 *   gcc -O2 -D_GNU_SOURCE -Iproxyd -I. bench/micro/lists.c build/librelease.a -lhs -lpcre2-8 -lidn2
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "filters/hostlist.h"
#include "filters/literalset.h"
#include "filters/netlist.h"
#include "filters/regexset.h"
#include "filters/urllist.h"

static const char url[] =
    "http://www.some-ordinary-site.example/assets/js/vendor/jquery-3.6.0.min.js"
    "?version=20231104&locale=en_US&cachebust=8f3a2b";
static volatile unsigned sink;

/* Of this process's CPU, so that neighbours cost only what they take of the caches. */
static double now_s(void)
{
    return (double)clock_us(CLOCK_PROCESS_CPUTIME_ID) / 1e6;
}

static size_t resident(void)
{
    size_t size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%zu %zu", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The best of five rounds, in ns. */
#define MEASURE(count, ...)                                                                        \
    ({                                                                                             \
        double best = 1e18;                                                                        \
        for (unsigned round = 0; round < 5; round++) {                                             \
            double from = now_s();                                                                 \
            for (unsigned i = 0; i < (count); i++) {                                               \
                __VA_ARGS__;                                                                       \
            }                                                                                      \
            double took = (now_s() - from) / (count)*1e9;                                          \
            best = took < best ? took : best;                                                      \
        }                                                                                          \
        best;                                                                                      \
    })

static void row(const char *what, unsigned n, double seconds, size_t bytes, double ns)
{
    printf("%-10s %9u: built in %6.3f s of a CPU, %6.2f MB, a miss %9.1f ns\n", what, n, seconds,
           (double)bytes / 1e6, ns);
}

static void one_file(struct sources *s, u32 lines)
{
    sources_init(s);
    sources_begin(s, SLICE("bench"), SLICE(""));
    sources_end(s, lines);
}

static void hosts(unsigned n)
{
    enum { ASKED = 4096 };
    static char asked[ASKED][64];
    struct sources s;
    struct hostlist_builder b = { 0 };
    struct hostlist l;
    struct hostlist_hit hit;
    char name[64];
    one_file(&s, n);
    size_t before = resident();
    double from = now_s();
    for (unsigned i = 0; i < n; i++) {
        int len = snprintf(name, sizeof name, "host%u.domain%u.example", i, i % 50000);
        hostlist_add(&b, HOST_BOTH, (struct slice){ name, (size_t)len }, i + 1, false);
    }
    hostlist_build(&l, &b, &s);
    double took = now_s() - from;
    size_t grown = resident() - before;
    for (unsigned i = 0; i < ASKED; i++)
        snprintf(asked[i], sizeof asked[i], "www.other%u.domain%u.example", i * 7919, i);
    double ns = MEASURE(200000, {
        struct host_prints p;
        host_prints(&p, slice_of(asked[i % ASKED]));
        sink += hostlist_find(&l, &p, NULL, &hit);
    });
    row("hosts", n, took, grown, ns);
    hostlist_free(&l);
    sources_free(&s);
}

static void nets(unsigned n)
{
    struct sources s;
    struct netlist_builder b = { 0 };
    struct netlist l;
    struct netlist_hit hit;
    one_file(&s, n);
    double from = now_s();
    for (unsigned i = 0; i < n; i++) {
        u32 v = i * 2654435761u;
        struct cidr c = { .base = { .family = AF_INET,
                                    .ip = { (u8)(v >> 24), (u8)(v >> 16), (u8)(v >> 8), 7 } },
                          .bits = 32 };
        netlist_add(&b, &c, i + 1, false);
    }
    netlist_build(&l, &b, &s);
    double took = now_s() - from;
    double ns = MEASURE(200000, {
        u32 v = i * 40503u;
        struct addr a = { .family = AF_INET,
                          .ip = { (u8)(v >> 24), (u8)(v >> 16), (u8)(v >> 8), 9 } };
        sink += netlist_find(&l, &a, NULL, &hit);
    });
    row("networks", n, took, netlist_bytes(&l), ns);
    netlist_free(&l);
    sources_free(&s);
}

static void urls(unsigned n)
{
    struct sources s;
    struct urllist_builder b = { 0 };
    struct urllist l;
    struct urllist_hit hit;
    char host[64], path[64];
    one_file(&s, n);
    double from = now_s();
    for (unsigned i = 0; i < n; i++) {
        snprintf(host, sizeof host, "host%u.example", i % 30000);
        snprintf(path, sizeof path, "/some/page%u", i);
        urllist_add(&b, slice_of(host), slice_of(path), i + 1, false);
    }
    urllist_build(&l, &b, &s);
    double took = now_s() - from;
    double ns = MEASURE(200000, sink += urllist_find(&l, SLICE("www.some-ordinary-site.example"),
                                                     slice_of(url + 37), NULL, &hit));
    row("urls", n, took, urllist_bytes(&l), ns);
    urllist_free(&l);
    sources_free(&s);
}

static void texts(unsigned n)
{
    struct literalset l = { 0 };
    struct literalset_hit hit;
    char text[64];
    double from = now_s();
    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof text, "/ads/banner%x.", i * 2654435761u);
        literalset_add(&l, slice_of(text), true, i + 1, false);
    }
    literalset_build(&l);
    double took = now_s() - from;
    double ns = MEASURE(20000, sink += literalset_find(&l, SLICE(url), NULL, &hit));
    row("texts", n, took, literalset_bytes(&l), ns);
    literalset_free(&l);
}

/* As real lists have them; without_text: none has a text of four bytes, so all are for
 * vectorscan. */
static void pattern(char *out, unsigned i, bool without_text)
{
    static const char *const with[] = {
        "^http://[^/]+/(banner|sponsor)%x/",       "/ads?/%x[0-9]+\\.(gif|jpe?g|png)$",
        "^https?://([a-z0-9-]+\\.)*host%x\\.net/", "[?&]track%x=[^&]*&id=\\d{4,}",
        "(pop|over|under)%x.*\\.php\\?",
    };
    unsigned v = i * 2654435761u;
    if (without_text)
        sprintf(out, "/(ad|b[ao]n)[0-9]*%02x[a-f]%02x(%x|%x)+/", v >> 24, (v >> 16) & 255,
                (v >> 8) & 255, v & 255);
    else
        sprintf(out, with[i % 5], v);
}

static void regexes(unsigned n, bool without_text)
{
    struct regexset_builder *b = NULL;
    struct regex_scratch *r = regex_scratch_new();
    struct regexset_hit hit;
    char text[128], why[REGEX_WHY];
    double from = now_s();
    for (unsigned i = 0; i < n; i++) {
        struct regex_flags flags = { .caseless = i % 2, .of_a_list = true };
        pattern(text, i, without_text);
        if (!regexset_add(&b, slice_of(text), flags, i + 1, why))
            printf("%s: %s\n", text, why);
    }
    struct regexset *s = regexset_build(&b);
    double took = now_s() - from;
    double ns = MEASURE(2000, sink += regexset_find(s, r, SLICE(url), NULL, &hit));
    row(without_text ? "vectorscan" : "regexes", n, took, regexset_bytes(s), ns);
    regexset_free(s);
    regex_scratch_free(r);
}

int main(void)
{
    hosts(10000);
    hosts(1000000);
    nets(45000);
    urls(50000);
    texts(10000);
    regexes(100, false);
    regexes(10000, false);
    regexes(1000, true);
    regexes(10000, true);
    return 0;
}
