/* A whole list: what outranks what, and what a match tells. */
#include "filters/filter_list.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"
#include "filters/list_reader.h"
#include "tests/unit/help_memory.h"

struct file {
    const char *name, *category;
    enum list_format format;
    const char *text;
};

static void read_file(struct filter_builder *b, const struct file *f)
{
    struct list_options o = { .format = f->format, .zone = SLICE("rpz.test") };
    filter_builder_begin(b, slice_of(f->name), slice_of(f->category));
    struct list_reader *r = list_reader_new(&o, filter_builder_take, b);
    assert_non_null(r);
    list_reader_feed(r, slice_of(f->text));
    const struct list_report *report = list_reader_end(r);
    assert_int_equal(report->rejected, 0);
    filter_builder_end(b, report->lines);
    list_reader_free(r);
}

static struct filter_list *make(const struct file *f, size_t n)
{
    struct filter_builder *b = filter_builder_new();
    assert_non_null(b);
    for (size_t i = 0; i < n; i++)
        read_file(b, &f[i]);
    struct filter_list *l = filter_list_build(b);
    assert_non_null(l);
    return l;
}

static struct filter_list *one(enum list_format format, const char *text)
{
    return make(&(struct file){ "f", "", format, text }, 1);
}

struct question {
    const char *host, *path; /* path NULL: CONNECT */
    const char *address, *client;
    enum list_party party;
    const struct places *in;
};

static enum list_answer ask(const struct filter_list *l, struct question w, struct list_hit *hit)
{
    static char url[256];
    struct regex_scratch *r = regex_scratch_new();
    struct host_prints prints;
    struct addr address, client;
    host_prints(&prints, slice_of(w.host));
    snprintf(url, sizeof url, "http%s://%s%s", w.path ? "" : "s", w.host ? w.host : "",
             w.path ? w.path : "/");
    struct list_query q = { .host = &prints,
                            .name = slice_of(w.host),
                            .url = slice_of(url),
                            .path = slice_of(w.path ? w.path : ""),
                            .party = w.party,
                            .in = w.in };
    if (w.address && addr_parse(slice_of(w.address), &address))
        q.address = &address;
    if (w.client && addr_parse(slice_of(w.client), &client))
        q.client = &client;
    assert_true(filter_list_fit(l, r));
    enum list_answer answer = filter_list_ask(l, &q, r, hit);
    regex_scratch_free(r);
    return answer;
}

static void ranks_of_adblock(void **state)
{
    struct list_hit hit;
    struct filter_list *l =
        one(LIST_ADBLOCK, "||a.example^\n@@||ok.a.example^\n||bad.ok.a.example^$important\n"
                          "||t.example^$third-party\n/banner/*\n@@/banner/house\n"
                          "||gone.example^\n||gone.example^$badfilter\n/ad[0-9]+x/\n");
    (void)state;
    assert_int_equal(ask(l, (struct question){ .host = "x.a.example", .path = "/" }, &hit),
                     LIST_YES);
    assert_true(hit.kind == ENTRY_HOST && hit.place == 1 && hit.effect == EFFECT_LISTED);
    assert_true(slice_is(hit.matched, "a.example"));
    assert_int_equal(ask(l, (struct question){ .host = "ok.a.example", .path = NULL }, &hit),
                     LIST_NO);
    assert_true(hit.place == 2 && hit.effect == EFFECT_EXCEPTED);
    assert_int_equal(ask(l, (struct question){ .host = "bad.ok.a.example", .path = "/" }, &hit),
                     LIST_YES);
    assert_true(hit.place == 3 && hit.effect == EFFECT_IMPORTANT);
    assert_int_equal(ask(l, (struct question){ .host = "t.example", .path = "/" }, &hit), LIST_NO);
    assert_int_equal(hit.place, 0);
    assert_int_equal(
        ask(l, (struct question){ .host = "t.example", .path = "/", .party = PARTY_FIRST }, &hit),
        LIST_NO);
    assert_int_equal(
        ask(l, (struct question){ .host = "t.example", .path = "/", .party = PARTY_THIRD }, &hit),
        LIST_YES);
    assert_int_equal(ask(l, (struct question){ .host = "b.example", .path = "/Banner/x" }, &hit),
                     LIST_YES);
    assert_true(hit.kind == ENTRY_TEXT && hit.place == 5 && slice_is(hit.matched, "/Banner/"));
    assert_int_equal(
        ask(l, (struct question){ .host = "b.example", .path = "/banner/house" }, &hit), LIST_NO);
    assert_int_equal(ask(l, (struct question){ .host = "gone.example", .path = "/" }, &hit),
                     LIST_NO);
    assert_int_equal(ask(l, (struct question){ .host = "b.example", .path = "/ad42x" }, &hit),
                     LIST_YES);
    assert_true(hit.kind == ENTRY_REGEX && hit.place == 9);
    assert_true(slice_is(hit.matched, "ad42x") && slice_is(hit.pattern, "ad[0-9]+x"));
    assert_false(filter_list_has_nets(l));
    assert_true(filter_list_has_urls(l));
    filter_list_free(l);
}

static void effects_of_zones(void **state)
{
    struct list_hit hit;
    struct filter_list *l =
        one(LIST_RPZ, "a CNAME .\n*.a CNAME rpz-drop.\nwww.a CNAME rpz-passthru.\n"
                      "g CNAME garden.test.\n8.0.0.0.10.rpz-ip CNAME .\n"
                      "24.0.1.0.10.rpz-ip CNAME rpz-passthru.\n"
                      "32.1.0.168.192.rpz-client-ip CNAME rpz-drop.\n");
    (void)state;
    assert_int_equal(ask(l, (struct question){ .host = "a", .path = NULL }, &hit), LIST_YES);
    assert_int_equal(hit.effect, EFFECT_LISTED);
    assert_int_equal(ask(l, (struct question){ .host = "b.a", .path = NULL }, &hit), LIST_YES);
    assert_int_equal(hit.effect, EFFECT_DROP);
    assert_int_equal(ask(l, (struct question){ .host = "www.a", .path = NULL }, &hit), LIST_YES);
    assert_int_equal(hit.effect, EFFECT_PASS);
    assert_int_equal(ask(l, (struct question){ .host = "g", .path = NULL }, &hit), LIST_YES);
    assert_true(hit.effect == EFFECT_PAGE && slice_is(hit.page, "garden.test"));
    assert_int_equal(ask(l, (struct question){ .host = "x", .path = NULL, .address = "10.2.0.1" },
                         &hit),
                     LIST_YES);
    assert_true(hit.kind == ENTRY_NET && hit.effect == EFFECT_LISTED && hit.bits == 8);
    assert_int_equal(ask(l, (struct question){ .host = "x", .path = NULL, .address = "10.0.1.1" },
                         &hit),
                     LIST_YES);
    assert_true(hit.effect == EFFECT_PASS && hit.bits == 24);
    assert_int_equal(ask(l, (struct question){ .host = "x", .path = NULL, .client = "192.168.0.1" },
                         &hit),
                     LIST_YES);
    assert_true(hit.kind == ENTRY_CLIENT && hit.effect == EFFECT_DROP);
    assert_int_equal(ask(l, (struct question){ .host = "x", .path = NULL }, &hit), LIST_NO);
    assert_true(filter_list_has_nets(l) && !filter_list_has_urls(l));
    filter_list_free(l);
}

static void files_and_categories(void **state)
{
    static const struct file files[] = {
        { "ads/domains", "ads", LIST_SQUIDGUARD, "a.example\n10.1.2.3\n" },
        { "ads/urls", "ads", LIST_SQUIDGUARD_URLS, "b.example/ads\n" },
        { "games/domains", "games", LIST_SQUIDGUARD, "\na.example\ng.example\n" },
    };
    struct filter_list *l = make(files, countof(files));
    struct list_hit hit;
    struct places ads, games;
    struct arena a;
    (void)state;
    arena_init(&a, 0);
    assert_true(places_of_category(&ads, &a, filter_list_sources(l), SLICE("ads")));
    assert_true(places_of_category(&games, &a, filter_list_sources(l), SLICE("games")));
    assert_int_equal(ask(l, (struct question){ .host = "a.example", .path = "/", .in = &games },
                         &hit),
                     LIST_YES);
    struct source_where w = sources_where(filter_list_sources(l), hit.place);
    assert_true(slice_is(w.file, "games/domains") && w.line == 2);
    assert_int_equal(
        ask(l, (struct question){ .host = "g.example", .path = "/", .in = &ads }, &hit), LIST_NO);
    assert_int_equal(
        ask(l, (struct question){ .host = "www.b.example", .path = "/ads/x", .in = &ads }, &hit),
        LIST_YES);
    assert_true(hit.kind == ENTRY_URL && slice_is(hit.matched, "/ads"));
    assert_int_equal(ask(l, (struct question){ .host = "b.example", .path = "/ads", .in = &games },
                         &hit),
                     LIST_NO);
    assert_int_equal(ask(l, (struct question){ .host = "b.example", .path = NULL }, &hit), LIST_NO);
    struct list_sizes n = filter_list_sizes(l);
    assert_true(n.hosts == 2 && n.nets == 1 && n.urls == 1 && n.regexes == 0 && n.bytes > 0);
    filter_list_free(l);
    arena_free(&a);
}

static void what_hangs_on_a_pattern_at_its_limits(void **state)
{
    struct list_hit hit;
    static const char evil[] = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-";
    struct filter_list *l = one(LIST_ADBLOCK, "@@/(a+)+[b-z](x|y)/\n||a.example^\n");
    (void)state;
    assert_int_equal(ask(l, (struct question){ .host = "a.example", .path = "/" }, &hit), LIST_YES);
    assert_int_equal(ask(l, (struct question){ .host = "a.example", .path = evil }, &hit),
                     LIST_EXHAUSTED);
    assert_true(hit.place == 1 && hit.kind == ENTRY_REGEX);
    assert_int_equal(ask(l, (struct question){ .host = "b.example", .path = evil }, &hit), LIST_NO);
    filter_list_free(l);
    l = one(LIST_ADBLOCK,
            "/(a+)+[b-z](x|y)/$important\n@@||a.example^\n||a.example^\n||b.example^\n");
    assert_int_equal(ask(l, (struct question){ .host = "a.example", .path = evil }, &hit),
                     LIST_EXHAUSTED);
    assert_int_equal(hit.place, 1);
    assert_int_equal(ask(l, (struct question){ .host = "a.example", .path = "/" }, &hit), LIST_NO);
    filter_list_free(l);
}

static void *ask_often(void *list)
{
    struct regex_scratch *r = regex_scratch_new();
    struct host_prints prints;
    struct list_hit hit;
    host_prints(&prints, SLICE("b.example"));
    for (unsigned i = 0; i < 300; i++) {
        char url[64];
        int n = snprintf(url, sizeof url, "http://b.example/ad%u%s", i, i % 2 ? "x" : "");
        struct list_query q = { .host = &prints,
                                .name = SLICE("b.example"),
                                .url = { url, (size_t)n },
                                .path = { url + 16, (size_t)n - 16 } };
        must(filter_list_ask(list, &q, r, &hit) == (i % 2 ? LIST_YES : LIST_NO));
    }
    regex_scratch_free(r);
    return NULL;
}

/* Enough patterns for vectorscan, and a scratch that none of the threads has fitted before. */
static void several_threads_ask(void **state)
{
    static const char patterns[] = "[0-9]x$\n[0-9]y$\n[0-9]z$\n[a-c]q\n[a-d]q\n[a-e]q\n[a-f]q\n"
                                   "[a-g]q\n[a-h]q\n[a-i]q\n[a-j]q\n";
    struct filter_list *l = one(LIST_REGEX, patterns);
    pthread_t thread[4];
    (void)state;
    assert_int_equal(filter_list_sizes(l).unaided, 0);
    for (size_t i = 0; i < countof(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask_often, l), 0);
    for (size_t i = 0; i < countof(thread); i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    filter_list_free(l);
}

/* Whatever memory is refused: no list, never one that lacks something. */
static void refused_memory(void **state)
{
    static const struct file file = { "f", "", LIST_ADBLOCK,
                                      "||a.example^\n||10.0.0.1^\n/banner/\n/x[0-9]y/\n" };
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct filter_builder *b = filter_builder_new();
        struct list_options o = { .format = LIST_ADBLOCK };
        filter_builder_begin(b, SLICE("f"), SLICE(""));
        struct list_reader *r = list_reader_new(&o, filter_builder_take, b);
        unsigned refused_at = 0;
        struct list_entry host = {
            .kind = ENTRY_HOST, .hosts = HOST_BOTH, .line = 1, .text = SLICE("a.example")
        };
        memory_refuse(nth, false);
        const char *why = filter_builder_take(b, &host);
        refused_at = memory_relent();
        assert_int_equal(why != NULL, refused_at != 0);
        list_reader_feed(r, slice_of(file.text));
        filter_builder_end(b, list_reader_end(r)->lines);
        list_reader_free(r);
        struct filter_list *l = filter_list_build(b);
        assert_int_equal(l == NULL, refused_at != 0);
        if (l) {
            assert_int_equal(filter_list_sizes(l).hosts, 1);
            filter_list_free(l);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_of_adblock),
        cmocka_unit_test(effects_of_zones),
        cmocka_unit_test(files_and_categories),
        cmocka_unit_test(what_hangs_on_a_pattern_at_its_limits),
        cmocka_unit_test(several_threads_ask),
        cmocka_unit_test(refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
