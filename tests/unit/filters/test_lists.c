/* The sets that lists are made into, each against comparing with every entry one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "filters/hostlist.h"
#include "filters/literalset.h"
#include "filters/netlist.h"
#include "filters/urllist.h"
#include "tests/unit/help_memory.h"

static u64 seed = 11;
static unsigned pick(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

/* Three files: lines 1–100 of a and of b are category x, those of c are y. */
static void three_files(struct sources *s)
{
    sources_init(s);
    sources_begin(s, SLICE("a"), SLICE("x"));
    sources_end(s, 100);
    sources_begin(s, SLICE("b"), SLICE("x"));
    sources_end(s, 100);
    sources_begin(s, SLICE("c"), SLICE("y"));
    sources_end(s, 100);
}

/* ---- places ---- */

static void places_lead_back(void **state)
{
    struct sources s;
    (void)state;
    three_files(&s);
    struct source_where w = sources_where(&s, source_place(s.file[1].first, 100));
    assert_true(slice_is(w.file, "b") && slice_is(w.category, "x") && w.line == 100);
    w = sources_where(&s, source_place(s.file[2].first, 1));
    assert_true(slice_is(w.file, "c") && slice_is(w.category, "y") && w.line == 1);
    assert_int_equal(sources_where(&s, 0).line, 0);
    assert_int_equal(sources_where(&s, s.next).line, 0);
    assert_int_equal(source_place(SOURCE_LAST_PLACE, 2), 0);
    sources_free(&s);
}

static void a_category_is_ranges_of_places(void **state)
{
    struct sources s;
    struct arena a;
    struct places p;
    (void)state;
    arena_init(&a, 0);
    three_files(&s);
    assert_true(places_of_category(&p, &a, &s, SLICE("x")));
    assert_int_equal(p.n, 1); /* neighbours are one */
    assert_true(places_have(&p, 1) && places_have(&p, 200) && !places_have(&p, 201));
    assert_true(places_of_category(&p, &a, &s, SLICE("y")));
    assert_true(!places_have(&p, 200) && places_have(&p, 201) && places_have(&p, 300));
    assert_true(!places_have(&p, 0) && !places_have(&p, 301));
    assert_false(places_of_category(&p, &a, &s, SLICE("z")));
    assert_false(places_have(&p, 1));
    sources_free(&s);
    arena_free(&a);
}

/* ---- hosts ---- */

static bool find_host(const struct hostlist *l, const char *host, const struct places *in,
                      struct hostlist_hit *hit)
{
    struct host_prints prints;
    host_prints(&prints, slice_of(host));
    return hostlist_find(l, &prints, in, hit);
}

static void hosts_with_kind_line_and_category(void **state)
{
    struct sources s;
    struct arena a;
    struct hostlist_builder b = { 0 };
    struct hostlist l;
    struct hostlist_hit hit;
    struct places x, y;
    (void)state;
    arena_init(&a, 0);
    three_files(&s);
    assert_true(places_of_category(&x, &a, &s, SLICE("x")));
    assert_true(places_of_category(&y, &a, &s, SLICE("y")));
    assert_true(hostlist_add(&b, HOST_ITSELF, SLICE("a.example"), 7, false));
    assert_true(hostlist_add(&b, HOST_BELOW, SLICE("a.example"), 9, false));
    assert_true(hostlist_add(&b, HOST_BOTH, SLICE("a.example"), 250, false));
    assert_true(hostlist_add(&b, HOST_BOTH, SLICE("b.a.example"), 240, false));
    assert_true(hostlist_add(&b, HOST_ITSELF, SLICE("only.example"), 3, false));
    assert_true(hostlist_add(&b, HOST_ITSELF, SLICE("only.example"), 2, false));
    assert_true(hostlist_build(&l, &b, &s));
    assert_int_equal(hostlist_entries(&l), 3);

    assert_true(find_host(&l, "a.example", NULL, &hit));
    assert_true(hit.place == 7 && hit.labels == 2 && !hit.is_subdomain);
    assert_true(find_host(&l, "c.a.example", NULL, &hit));
    assert_true(hit.place == 9 && hit.labels == 2 && hit.is_subdomain);
    assert_true(find_host(&l, "b.a.example", NULL, &hit));
    assert_true(hit.place == 240 && hit.labels == 3);
    assert_true(find_host(&l, "b.a.example", &x, &hit));
    assert_int_equal(hit.place, 9);
    assert_true(find_host(&l, "a.example", &y, &hit));
    assert_int_equal(hit.place, 250);
    assert_true(find_host(&l, "only.example", &x, &hit));
    assert_int_equal(hit.place, 2);
    assert_false(find_host(&l, "only.example", &y, &hit));
    assert_false(find_host(&l, "x.only.example", NULL, &hit));
    assert_false(find_host(&l, "example", NULL, &hit));
    hostlist_free(&l);
    sources_free(&s);
    arena_free(&a);
}

static void removed_hosts_are_gone(void **state)
{
    struct sources s;
    struct hostlist_builder b = { 0 };
    struct hostlist l;
    struct hostlist_hit hit;
    (void)state;
    three_files(&s);
    assert_true(hostlist_add(&b, HOST_BOTH, SLICE("a.example"), 1, false));
    assert_true(hostlist_add(&b, HOST_ITSELF, SLICE("a.example"), 2, true));
    assert_true(hostlist_add(&b, HOST_ITSELF, SLICE("b.example"), 201, true));
    assert_true(hostlist_add(&b, HOST_ITSELF, SLICE("b.example"), 3, false));
    assert_true(hostlist_build(&l, &b, &s));
    assert_int_equal(hostlist_entries(&l), 1);
    assert_false(find_host(&l, "a.example", NULL, &hit));
    assert_true(find_host(&l, "x.a.example", NULL, &hit));
    assert_false(find_host(&l, "b.example", NULL, &hit));
    hostlist_free(&l);
    assert_true(hostlist_build(&l, &b, &s)); /* empty */
    assert_false(find_host(&l, "b.example", NULL, &hit));
    hostlist_free(&l);
    sources_free(&s);
}

/* Ten of 1,000 names stand 100,000 times: sorting is no square and the further places are few. */
static void names_repeated_without_end(void **state)
{
    struct sources s;
    struct hostlist_builder b = { 0 };
    struct hostlist l;
    struct hostlist_hit hit;
    char name[32];
    (void)state;
    three_files(&s);
    for (unsigned i = 0; i < 300000; i++) {
        snprintf(name, sizeof name, "n%u.example", i % 10);
        assert_true(hostlist_add(&b, HOST_ITSELF, slice_of(name), 1 + i % 300, false));
    }
    assert_true(hostlist_build(&l, &b, &s));
    assert_int_equal(hostlist_entries(&l), 10);
    assert_int_equal(l.map.nmore, 30);
    assert_true(find_host(&l, "n4.example", NULL, &hit));
    assert_int_equal(hit.place, 5);
    hostlist_free(&l);
    sources_free(&s);
}

/* 300,000 names: all found with their line, none that is not there; 16 bytes each. */
static void many_hosts(void **state)
{
    enum { N = 300000 };
    struct sources s;
    struct hostlist_builder b = { 0 };
    struct hostlist l;
    struct hostlist_hit hit;
    char name[64];
    (void)state;
    sources_init(&s);
    sources_begin(&s, SLICE("f"), SLICE(""));
    sources_end(&s, N);
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "host%u.domain%u.example", i, i % 1000);
        assert_true(hostlist_add(&b, i % 3 ? HOST_BOTH : HOST_BELOW, slice_of(name), i + 1, false));
    }
    assert_true(hostlist_build(&l, &b, &s));
    assert_int_equal(hostlist_entries(&l), N);
    assert_true(hostlist_bytes(&l) <= 16 * N + 2 * CACHE_LINE);
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "x.host%u.domain%u.example", i, i % 1000);
        assert_true(find_host(&l, name, NULL, &hit));
        assert_true(hit.place == i + 1 && hit.labels == 3);
        assert_int_equal(find_host(&l, name + 2, NULL, &hit), i % 3 != 0);
        snprintf(name, sizeof name, "host%u.domain%u.example", i, i % 1000 + 1);
        assert_false(find_host(&l, name, NULL, &hit));
    }
    hostlist_free(&l);
    sources_free(&s);
}

static void refused_memory_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < 4; nth++) {
        struct sources s;
        struct hostlist_builder b = { 0 };
        struct hostlist l;
        three_files(&s);
        memory_refuse(nth, false);
        bool ok = hostlist_add(&b, HOST_ITSELF, SLICE("a.example"), 1, false) &&
                  hostlist_add(&b, HOST_ITSELF, SLICE("a.example"), 101, false);
        if (ok)
            ok = hostlist_build(&l, &b, &s);
        else
            hostlist_drop(&b);
        assert_int_equal(memory_relent(), nth <= 3 ? !ok : 0);
        if (ok)
            hostlist_free(&l);
        sources_free(&s);
    }
}

/* ---- networks ---- */

static struct addr address(const char *text)
{
    struct addr a;
    assert_true(addr_parse(slice_of(text), &a));
    return a;
}

static void add_net(struct netlist_builder *b, const char *text, u32 place, bool removes)
{
    struct cidr c;
    bool host_bits;
    assert_true(cidr_parse(slice_of(text), &c, &host_bits));
    assert_true(netlist_add(b, &c, place, removes));
}

static void the_longest_prefix_decides(void **state)
{
    static const struct {
        const char *address;
        u32 place;
    } rows[] = {
        { "10.0.0.1", 1 },      { "10.1.0.0", 2 },        { "10.1.2.3", 3 },
        { "10.1.2.4", 2 },      { "10.2.0.0", 1 },        { "11.0.0.0", 0 },
        { "9.255.255.255", 0 }, { "255.255.255.255", 4 }, { "2001:db8::1", 5 },
        { "2001:db8:1::", 6 },  { "2001:db9::", 0 },      { "ffff::1", 7 },
    };
    struct sources s;
    struct netlist_builder b = { 0 };
    struct netlist l;
    struct netlist_hit hit;
    (void)state;
    three_files(&s);
    add_net(&b, "10.1.2.3", 3, false);
    add_net(&b, "10.0.0.0/8", 1, false);
    add_net(&b, "10.1.0.0/16", 2, false);
    add_net(&b, "10.1.0.0/16", 50, false); /* again in that file */
    add_net(&b, "255.255.255.255", 4, false);
    add_net(&b, "2001:db8::/32", 5, false);
    add_net(&b, "2001:db8:1::/48", 6, false);
    add_net(&b, "ff00::/8", 7, false);
    add_net(&b, "192.0.2.0/24", 8, false);
    add_net(&b, "192.0.2.0/24", 101, true);
    assert_true(netlist_build(&l, &b, &s));
    assert_int_equal(netlist_entries(&l), 7);
    for (size_t i = 0; i < countof(rows); i++) {
        struct addr a = address(rows[i].address);
        bool found = netlist_find(&l, &a, NULL, &hit);
        assert_int_equal(found ? hit.place : 0, rows[i].place);
    }
    struct places only = { &(struct place_range){ 1, 1 }, 1 };
    struct addr a = address("10.1.2.3"), none = { 0 };
    assert_true(netlist_find(&l, &a, &only, &hit) && hit.place == 1 && hit.bits == 8);
    assert_false(netlist_find(&l, &none, NULL, &hit));
    netlist_free(&l);
    sources_free(&s);
}

static void networks_one_by_one(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct sources s;
        struct netlist_builder b = { 0 };
        struct netlist l;
        struct cidr net[12];
        unsigned n = 1 + pick(12);
        sources_init(&s);
        sources_begin(&s, SLICE("f"), SLICE(""));
        sources_end(&s, 100);
        for (unsigned i = 0; i < n; i++) {
            bool six = round % 2;
            net[i] = (struct cidr){ .base.family = six ? AF_INET6 : AF_INET };
            unsigned most = six ? 128 : 32, last = six ? 15 : 3;
            net[i].bits = (u8)(pick(4) ? most - pick(9) : pick(3));
            net[i].base.ip[last] = (u8)(pick(2) ? pick(256) : 255);
            memset(net[i].base.ip, pick(2) ? 255 : 0, last);
            for (unsigned bit = net[i].bits; bit < most; bit++)
                net[i].base.ip[bit / 8] &= (u8) ~(0x80 >> bit % 8);
            assert_true(netlist_add(&b, &net[i], i + 1, false));
        }
        assert_true(netlist_build(&l, &b, &s));
        for (unsigned probe = 0; probe < 30; probe++) {
            struct addr a = net[0].base;
            unsigned last = round % 2 ? 15 : 3;
            struct netlist_hit hit = { 0 };
            u32 place = 0;
            int bits = -1;
            memset(a.ip, pick(2) ? 255 : 0, last);
            a.ip[last] = (u8)(pick(3) ? pick(256) : pick(2) * 255);
            for (unsigned i = 0; i < n; i++) {
                if (cidr_has(&net[i], &a) && net[i].bits > bits) {
                    bits = net[i].bits;
                    place = i + 1;
                }
            }
            assert_int_equal(netlist_find(&l, &a, NULL, &hit), place != 0);
            assert_int_equal(hit.place, place);
        }
        netlist_free(&l);
        sources_free(&s);
    }
}

/* ---- URLs ---- */

static void hosts_of_url_lists(void **state)
{
    static const char *const rows[][2] = {
        { "www.example.com", "example.com" },
        { "www3.example.com", "example.com" },
        { "web12.example.com", "example.com" },
        { "ftp.example.com", "example.com" },
        { "www.com", "www.com" },
        { "wwwx.example.com", "wwwx.example.com" },
        { "www", "www" },
        { "www.", "www." },
        { "awww.example.com", "awww.example.com" },
    };
    (void)state;
    for (size_t i = 0; i < countof(rows); i++)
        assert_true(slice_is(urllist_host(slice_of(rows[i][0])), rows[i][1]));
}

static void url_prefixes(void **state)
{
    static const struct {
        const char *host, *path;
        u32 place;
        unsigned length;
    } rows[] = {
        { "foo.example", "/~bad", 1, 5 },
        { "www2.foo.example", "/~BAD/x", 1, 5 },
        { "foo.example", "/~bad?x", 1, 5 },
        { "foo.example", "/~badly", 0, 0 },
        { "foo.example", "/~ba", 0, 0 },
        { "bar.foo.example", "/~bad", 0, 0 },
        { "foo.example", "", 0, 0 },
        { "dir.example", "/a/", 2, 3 },
        { "dir.example", "/a/b", 2, 3 },
        { "dir.example", "/a", 0, 0 },
        { "dir.example", "/ab", 0, 0 },
        { "dir.example", "/a/b/c", 5, 6 },
        { "query.example", "/p?id=5", 3, 7 },
        { "query.example", "/p?id=55", 0, 0 },
        { "query.example", "/p", 0, 0 },
        { "all.example", "", 4, 0 },
        { "www.all.example", "/any/thing", 4, 0 },
        { "x.all.example", "/", 0, 0 },
        { "end.example", "/x?", 6, 3 },
        { "end.example", "/x?y", 6, 3 },
        { "end.example", "/x", 0, 0 },
    };
    struct sources s;
    struct urllist_builder b = { 0 };
    struct urllist l;
    (void)state;
    three_files(&s);
    assert_true(urllist_add(&b, SLICE("foo.example"), SLICE("/~bad"), 1, false));
    assert_true(urllist_add(&b, SLICE("dir.example"), SLICE("/a/"), 2, false));
    assert_true(urllist_add(&b, SLICE("query.example"), SLICE("/p?id=5"), 3, false));
    assert_true(urllist_add(&b, SLICE("www.all.example"), SLICE("/"), 4, false));
    assert_true(urllist_add(&b, SLICE("dir.example"), SLICE("/a/b/c"), 5, false));
    assert_true(urllist_add(&b, SLICE("end.example"), SLICE("/x?"), 6, false));
    assert_true(urllist_add(&b, SLICE("gone.example"), SLICE("/x"), 7, false));
    assert_true(urllist_add(&b, SLICE("gone.example"), SLICE("/x"), 8, true));
    assert_true(urllist_build(&l, &b, &s));
    assert_int_equal(urllist_entries(&l), 6);
    for (size_t i = 0; i < countof(rows); i++) {
        struct urllist_hit hit = { 0 };
        assert_int_equal(urllist_find(&l, slice_of(rows[i].host), slice_of(rows[i].path), NULL,
                                      &hit),
                         rows[i].place != 0);
        assert_int_equal(hit.place, rows[i].place);
        assert_int_equal(hit.length, rows[i].length);
    }
    urllist_free(&l);
    sources_free(&s);
}

/* Is the entry a prefix of the path that ends on a border? */
static bool prefix_covers(const char *entry, const char *path)
{
    size_t n = strlen(entry);
    if (strncmp(entry, path, n) != 0)
        return false;
    return strchr("/?", path[n]) || (n && strchr("/?", entry[n - 1])); /* or the end */
}

static void urls_one_by_one(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct sources s;
        struct urllist_builder b = { 0 };
        struct urllist l;
        char entry[8][12];
        unsigned n = 1 + pick(8);
        sources_init(&s);
        sources_begin(&s, SLICE("f"), SLICE(""));
        sources_end(&s, 100);
        for (unsigned i = 0; i < n; i++) {
            size_t len = pick(8);
            entry[i][0] = '/';
            for (size_t k = 1; k < len; k++)
                entry[i][k] = "ab/?"[pick(4)];
            entry[i][len] = 0;
            if (len == 1)
                entry[i][0] = 0;
            assert_true(urllist_add(&b, SLICE("h.example"), slice_of(entry[i]), i + 1, false));
        }
        assert_true(urllist_build(&l, &b, &s));
        for (unsigned probe = 0; probe < 30; probe++) {
            char path[16] = "/";
            size_t len = pick(12), longest = 0;
            bool any = false;
            for (size_t k = 1; k < len; k++)
                path[k] = "ab/?"[pick(4)];
            path[len] = 0;
            for (unsigned i = 0; i < n; i++) {
                bool covers = entry[i][0] == 0 || prefix_covers(entry[i], path);
                any = any || covers;
                longest = covers && strlen(entry[i]) > longest ? strlen(entry[i]) : longest;
            }
            struct urllist_hit hit = { 0 };
            assert_int_equal(urllist_find(&l, SLICE("h.example"), slice_of(path), NULL, &hit), any);
            assert_int_equal(hit.length, longest);
        }
        urllist_free(&l);
        sources_free(&s);
    }
}

/* ---- texts ---- */

static bool occurs(const char *text, const char *in, bool caseless)
{
    return caseless ? strcasestr(in, text) != NULL : strstr(in, text) != NULL;
}

static void texts_one_by_one(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct literalset l = { 0 };
        char text[12][8], subject[40];
        bool caseless[12];
        unsigned n = 1 + pick(12);
        for (unsigned i = 0; i < n; i++) {
            size_t len = 1 + pick(7);
            for (size_t k = 0; k < len; k++)
                text[i][k] = "abAB"[pick(4)];
            text[i][len] = 0;
            caseless[i] = pick(2);
            assert_true(literalset_add(&l, slice_of(text[i]), caseless[i], i + 1, false));
        }
        assert_true(literalset_build(&l));
        for (unsigned probe = 0; probe < 30; probe++) {
            size_t len = pick(30);
            for (size_t k = 0; k < len; k++)
                subject[k] = "abABcd"[pick(6)];
            subject[len] = 0;
            bool any = false;
            for (unsigned i = 0; i < n; i++)
                any = any || occurs(text[i], subject, caseless[i]);
            struct literalset_hit hit;
            bool found = literalset_find(&l, slice_of(subject), NULL, &hit);
            assert_int_equal(found, any);
            if (found)
                assert_true(occurs(text[hit.place - 1], subject + hit.at, caseless[hit.place - 1]));
        }
        literalset_free(&l);
    }
}

static void removed_texts_are_gone(void **state)
{
    struct literalset l = { 0 };
    struct literalset_hit hit;
    (void)state;
    assert_true(literalset_add(&l, SLICE("/ads/"), false, 1, false));
    assert_true(literalset_add(&l, SLICE("/ADS/"), true, 2, false));
    assert_true(literalset_add(&l, SLICE("/ads/"), true, 3, true));
    assert_true(literalset_build(&l));
    assert_true(literalset_find(&l, SLICE("http://x.example/ads/"), NULL, &hit));
    assert_int_equal(hit.place, 1);
    assert_false(literalset_find(&l, SLICE("http://x.example/Ads/"), NULL, &hit));
    literalset_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_lead_back),
        cmocka_unit_test(a_category_is_ranges_of_places),
        cmocka_unit_test(hosts_with_kind_line_and_category),
        cmocka_unit_test(removed_hosts_are_gone),
        cmocka_unit_test(names_repeated_without_end),
        cmocka_unit_test(many_hosts),
        cmocka_unit_test(refused_memory_leaves_nothing),
        cmocka_unit_test(the_longest_prefix_decides),
        cmocka_unit_test(networks_one_by_one),
        cmocka_unit_test(hosts_of_url_lists),
        cmocka_unit_test(url_prefixes),
        cmocka_unit_test(urls_one_by_one),
        cmocka_unit_test(texts_one_by_one),
        cmocka_unit_test(removed_texts_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
