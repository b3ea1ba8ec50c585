/*
 * How long a decision takes: twenty rules that do not match, of several kinds, and the parts it is
 * made of. Bounds of the design: 20 rules 300 ns, an IPv4 class 20 ns, a million hosts 150 ns, a
 * list of a million asked by a rule likewise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "filters/addrclass.h"
#include "filters/cidrset.h"
#include "filters/hostset.h"
#include "filters/list_reader.h"
#include "filters/list_slot.h"
#include "config/load.h"
#include "policy/conf.h"

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* The best of five rounds: what the code costs, not what the neighbours do. */
#define MEASURE(label, bound, count, statement)                                                    \
    do {                                                                                           \
        double best = 1e18;                                                                        \
        for (unsigned round = 0; round < 5; round++) {                                             \
            double from = now_ns();                                                                \
            for (unsigned i = 0; i < (count); i++) {                                               \
                statement;                                                                         \
            }                                                                                      \
            double took = (now_ns() - from) / (count);                                             \
            best = took < best ? took : best;                                                      \
        }                                                                                          \
        printf("%-46s %8.1f ns   (bound %s)\n", label, best, bound);                               \
    } while (0)

static volatile unsigned sink;

static const struct schema_row rows_of_list[] = { { .key = NULL } };
static const struct schema_row rows[] = {
    { .key = "policy", .kind = ROW_NAMED, .repeat = true, .children = policy_rows },
    { .key = "list", .kind = ROW_NAMED, .repeat = true, .children = rows_of_list },
    { .key = NULL },
};

static struct policy *make(const char *each, struct arena *a)
{
    char *text = malloc(1 << 20);
    size_t n = (size_t)sprintf(text, "policy p { default allow; rules {");
    for (unsigned i = 0; i < 20; i++) {
        n += (size_t)sprintf(text + n, "deny r%u { ", i);
        n += (size_t)sprintf(text + n, each, i, i, i, i);
        n += (size_t)sprintf(text + n, " }\n");
    }
    sprintf(text + n, "} } list l { }");
    struct tree tree;
    struct diags d;
    diags_init(&d);
    if (!config_load_text("bench", slice_of(text), false, &tree, &d) ||
        !schema_check(&tree, rows, &d)) {
        diags_print(&d, stderr);
        exit(1);
    }
    struct policy *p = policy_compile(node_child(&tree.root, "policy"), a);
    config_free(&tree);
    diags_free(&d);
    free(text);
    return p;
}

static void bench_rules(const char *label, const char *each, const char *path, bool resolved)
{
    struct arena a;
    struct host host;
    struct addr at;
    struct policy_decision d;
    arena_init(&a, 0);
    const struct policy *p = make(each, &a);
    host_parse(SLICE("www.shop.example"), &host);
    addr_parse(SLICE("93.184.216.34"), &at);
    struct policy_question q = { .client = { .ip = { 127, 0, 0, 1 }, .family = AF_INET },
                                 .method = METHOD_GET,
                                 .host = &host,
                                 .port = 80,
                                 .path = slice_of(path),
                                 .destination = resolved ? &at : NULL };
    MEASURE(label, "300", 1000000, policy_decide(p, &q, &d); sink += d.action);
    if (d.action != POLICY_ALLOW)
        printf("the decision is wrong\n");
    arena_free(&a);
}

static struct list_slot slot = { .name = SLICE("l"), .readers = 1 };

static const struct list_slot *find(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return &slot;
}

static struct list_content *list_of(unsigned entries)
{
    struct filter_builder *b = filter_builder_new();
    struct list_options o = { .format = LIST_DOMAINS };
    filter_builder_begin(b, SLICE("bench"), SLICE(""));
    struct list_reader *r = list_reader_new(&o, filter_builder_take, b);
    for (unsigned i = 0; i < entries; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, ".host%u.domain%u.example\n", i, i % 977);
        list_reader_feed(r, (struct slice){ line, (size_t)n });
    }
    filter_builder_end(b, list_reader_end(r)->lines);
    list_reader_free(r);
    return list_content_new(filter_list_build(b), 1);
}

/* What twenty rules that ask one list cost a request that is not in it. */
static void bench_list(unsigned entries)
{
    enum { ASKED = 4096 };
    static struct host hosts[ASKED];
    struct arena a;
    struct policy_decision d;
    char label[64];
    arena_init(&a, 0);
    struct policy *p = make("to list l;", &a);
    struct list_content *c = list_of(entries);
    slot.of[0] = c;
    policy_bind_lists(p, &a, find, NULL);
    for (unsigned i = 0; i < ASKED; i++) {
        int n = snprintf(label, sizeof label, "www.site%u.other%u.example", i * 7919, i % 977);
        host_parse((struct slice){ label, (size_t)n }, &hosts[i]);
    }
    struct policy_question q = { .client = { .ip = { 127, 0, 0, 1 }, .family = AF_INET },
                                 .method = METHOD_GET,
                                 .port = 80,
                                 .path = SLICE("/") };
    snprintf(label, sizeof label, "20 rules that ask a list of %u", entries);
    MEASURE(label, "-", 200000, q.host = &hosts[i * 2654435761u >> 20]; policy_decide(p, &q, &d);
            sink += d.action);
    if (d.action != POLICY_ALLOW)
        printf("the decision is wrong\n");
    list_content_free(c);
    arena_free(&a);
}

static void bench_classes(void)
{
    static const char *const addrs[] = { "93.184.216.34", "10.1.2.3", "203.0.114.1",
                                         "2606:4700::1111", "64:ff9b::8.8.8.8" };
    addrclass_refresh_local();
    for (unsigned k = 0; k < countof(addrs); k++) {
        struct addr a;
        char label[64];
        addr_parse(slice_of(addrs[k]), &a);
        snprintf(label, sizeof label, "class of %s", addrs[k]);
        MEASURE(label, "20", 5000000, a.port = (u16)i; sink += addr_class(&a));
    }
}

static void bench_hosts(unsigned entries)
{
    enum { ASKED = 4096 };
    static char names[ASKED][48];
    struct hostset s;
    char label[64];
    hostset_init(&s, NULL, entries);
    for (unsigned i = 0; i < entries; i++) {
        int n = snprintf(label, sizeof label, ".host%u.domain%u.example", i, i % 977);
        struct slice host = { label + 1, (size_t)n - 1 };
        *hostset_slot(&s, i & 1 ? HOST_BELOW : HOST_ITSELF, host) = 1;
    }
    for (unsigned i = 0; i < ASKED; i++)
        snprintf(names[i], sizeof names[i], "www.site%u.other%u.example", i * 7919, i % 977);
    snprintf(label, sizeof label, "%u hosts (%.1f MB), 4 labels, a miss", entries,
             (double)s.buckets * 64 / 1e6);
    MEASURE(label, "150", 2000000, {
        struct host_prints prints;
        host_prints(&prints, slice_of(names[i * 2654435761u >> 20]));
        sink += hostset_find(&s, &prints);
    });
    hostset_free(&s);
}

int main(void)
{
    bench_rules("20 rules by host", "to *.h%u.example g%u.example;", "/", false);
    bench_rules("20 rules by host, port, method, client",
                "to .h%u.example; port 80; method GET PUT; from 127.0.0.0/8;", "/", false);
    bench_rules("20 rules by client", "from 10.%u.0.0/16 192.168.%u.0/24;", "/", false);
    bench_rules("20 rules by network, address known", "to 10.%u.0.0/16 class private;", "/", true);
    bench_rules("20 rules by path", "path /admin%u;", "/a/path/of/usual/length.html", false);
    bench_rules("20 rules by path, %XX in it", "path /admin%u;", "/a/path%2fof/usual/length.html",
                false);
    bench_rules("no rule but the first by port", "port 9%u;", "/", false);
    bench_list(1000000);
    bench_classes();
    bench_hosts(10);
    bench_hosts(10000);
    bench_hosts(1000000);
    return 0;
}
