/*
 * Lists of every format, any bytes: read whole, byte by byte and in odd pieces they give the same
 * entries and the same report; every entry is in the form that the sets are asked with, and the
 * sets made of them find each.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "filters/hostlist.h"
#include "filters/list_name.h"
#include "filters/list_reader.h"
#include "filters/netlist.h"
#include "filters/urllist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
    u64 hash; /* over all entries, in their order */
    u64 entries;
    struct hostlist_builder hosts;
    struct netlist_builder nets;
    struct urllist_builder urls;
    bool build;
};

static const struct hash_key key = { { 1, 2 } };

static void mix(struct seen *s, const void *p, size_t n)
{
    s->hash = s->hash * 31 + hash64(&key, p, n);
}

static void check_host(struct slice host)
{
    struct list_name is;
    must(list_name(&is, host) == NULL && !is.is_address);
    must(slice_eq(host, (struct slice){ is.text, is.n }));
}

static struct slice host_of(struct slice url)
{
    const char *slash = slice_find(url, '/');
    return slash ? slice_range(url.p, slash) : url;
}

static void keep(struct seen *s, const struct list_entry *e)
{
    if (e->kind == ENTRY_HOST)
        must(hostlist_add(&s->hosts, e->hosts, e->text, e->line, false));
    if (e->kind == ENTRY_NET)
        must(netlist_add(&s->nets, &e->net, e->line, false));
    if (e->kind == ENTRY_URL)
        must(urllist_add(&s->urls, host_of(e->text), slice_skip(e->text, host_of(e->text).n),
                         e->line, false));
}

static const char *take(void *ctx, const struct list_entry *e)
{
    struct seen *s = ctx;
    u32 numbers[] = { e->kind,     e->effect,  e->party, e->kind == ENTRY_HOST ? e->hosts : 0,
                      e->caseless, e->removes, e->line };
    must(e->text.n <= LIST_LINE);
    mix(s, numbers, sizeof numbers);
    if (e->kind == ENTRY_NET || e->kind == ENTRY_CLIENT) {
        must(e->net.bits <= (e->net.base.family == AF_INET ? 32 : 128));
        must(cidr_has(&e->net, &e->net.base));
        mix(s, &e->net.base.ip, sizeof e->net.base.ip);
        mix(s, &e->net.bits, 1);
    } else {
        must(e->text.n > 0);
        mix(s, e->text.p, e->text.n);
    }
    mix(s, e->page.p, e->page.n);
    if (e->kind == ENTRY_HOST)
        check_host(e->text);
    s->entries++;
    if (s->build)
        keep(s, e);
    return e->line % 7 == 3 ? "a reason" : NULL;
}

static struct list_report read_all(const struct list_options *o, struct slice text, unsigned pieces,
                                   struct seen *seen)
{
    struct list_reader *r = list_reader_new(o, take, seen);
    must(r);
    for (size_t at = 0, k = 0; at < text.n; k++) {
        size_t n = pieces == 0 ? text.n : 1 + (k * pieces + (u8)text.p[at]) % pieces;
        n = n < text.n - at ? n : text.n - at;
        char *exact = malloc(n);
        must(exact);
        memcpy(exact, text.p + at, n);
        list_reader_feed(r, (struct slice){ exact, n });
        free(exact);
        at += n;
    }
    struct list_report report = *list_reader_end(r);
    list_reader_free(r);
    must(report.entries <= seen->entries && report.format != LIST_AUTO);
    return report;
}

/* Asks the sets for each entry again. */
struct asked {
    struct hostlist hosts;
    struct netlist nets;
    struct urllist urls;
};

static const char *ask(void *ctx, const struct list_entry *e)
{
    struct asked *a = ctx;
    struct hostlist_hit host;
    struct netlist_hit net;
    struct urllist_hit url;
    if (e->kind == ENTRY_HOST) {
        char below[LIST_NAME + 4] = "x.";
        struct host_prints p;
        host_prints(&p, e->text);
        must(!(e->hosts & HOST_ITSELF) || hostlist_find(&a->hosts, &p, NULL, &host));
        memcpy(below + 2, e->text.p, e->text.n);
        host_prints(&p, (struct slice){ below, e->text.n + 2 });
        must(!(e->hosts & HOST_BELOW) || hostlist_find(&a->hosts, &p, NULL, &host));
    } else if (e->kind == ENTRY_NET) {
        must(netlist_find(&a->nets, &e->net.base, NULL, &net) && net.bits >= e->net.bits);
    } else if (e->kind == ENTRY_URL) {
        struct slice h = host_of(e->text);
        must(urllist_find(&a->urls, h, slice_skip(e->text, h.n), NULL, &url));
    }
    return NULL;
}

static void check_sets(const struct list_options *o, struct slice text)
{
    struct seen seen = { .build = true };
    struct sources s;
    struct asked a;
    struct list_report report = read_all(o, text, 0, &seen);
    sources_init(&s);
    sources_begin(&s, SLICE("f"), SLICE(""));
    sources_end(&s, report.lines);
    must(hostlist_build(&a.hosts, &seen.hosts, &s) && netlist_build(&a.nets, &seen.nets, &s) &&
         urllist_build(&a.urls, &seen.urls, &s));
    struct list_reader *r = list_reader_new(o, ask, &a);
    must(r);
    list_reader_feed(r, text);
    list_reader_end(r);
    list_reader_free(r);
    hostlist_free(&a.hosts);
    netlist_free(&a.nets);
    urllist_free(&a.urls);
    sources_free(&s);
}

/* The first two bytes choose format and options. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct seen whole = { 0 }, single = { 0 }, some = { 0 };
    if (n < 2)
        return 0;
    struct slice text = { (const char *)data + 2, n - 2 };
    struct list_options o = { .format = data[0] % LIST_FORMATS,
                              .subdomains = data[1] & 1,
                              .diff = data[1] & 2,
                              .zone = data[1] & 4 ? SLICE("rpz.test") : (struct slice){ NULL, 0 } };
    struct list_report a = read_all(&o, text, 0, &whole);
    struct list_report b = read_all(&o, text, 1, &single);
    struct list_report c = read_all(&o, text, 2 + data[1], &some);
    must(whole.hash == single.hash && whole.hash == some.hash);
    must(whole.entries == single.entries && whole.entries == some.entries);
    must(memcmp(&a, &b, sizeof a) == 0 && memcmp(&a, &c, sizeof a) == 0);
    if (!o.diff)
        check_sets(&o, text);
    return 0;
}
