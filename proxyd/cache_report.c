/*
 * One question about caches: understood, put to each of them under the registry's lock, answered in
 * lines. The hard thing is the disk, which may take minutes: none is read under that lock, for
 * which reloads and /metrics wait. What is to be read is held, and read when the lock is let go.
 */
#include "cache_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stat.h"
#include "base/str.h"
#include "cache/cache.h"
#include "cache/purge.h"
#include "cache_asked.h"
#include "cache_show.h"
#include "http/uri.h"
#include "reverse/balance.h"

/* The disk of a cache, held by whoever reads it. */
struct held {
    struct disk *disk;
    char *name;
};

/* One question while it is answered. */
struct report {
    FILE *to;
    struct slice word; /* the method */
    struct asked asked;
    const char *wrong; /* with the question, a sentence; NULL: that it is none */
    struct cache_url parts;
    struct target_uri uri; /* `parts` points into it */
    char area[8192];
    struct slice url; /* as caches compare it, or its beginning, or a tag */
    u64 now_s;
    enum url_match how; /* of a purge */
    bool soft;
    struct held *held; /* to be read, in the order of the caches */
    unsigned nheld, room;
    char *spaces; /* that a URL may be kept in, a line each */
};

/* Of which each that is kept is asked; NULL: of none. */
static const struct asked *asked_of(const struct report *r)
{
    return r->asked.msg && r->asked.alone == KEPT_YES ? &r->asked : NULL;
}

static bool read_url(struct report *r, struct slice url)
{
    struct text t = text_in(r->area, sizeof r->area);
    if (target_parse(METHOD_GET, url, NULL, &r->uri) != FAULT_NONE ||
        r->uri.form != TARGET_ABSOLUTE)
        return false;
    r->parts = (struct cache_url){ .space = SLICE("forward"),
                                   .scheme = SLICE("http"),
                                   .host = { r->uri.host.name, r->uri.host.len },
                                   .port = r->uri.port,
                                   .path = r->uri.path_query };
    cache_url_write(&t, &r->parts);
    r->url = text_slice(&t);
    return !t.full;
}

static void put_pool(const char *name, const void *entry, void *to)
{
    (void)entry;
    fprintf(to, "reverse/%s\n", name);
}

static char *spaces_of(struct registry *registry)
{
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    if (to == NULL)
        return NULL;
    fputs("forward\n", to);
    registry_each(registry, &pools, put_pool, to);
    fclose(to);
    return text;
}

/* ---- stat ---- */

static void stat_of(const char *name, const void *entry, void *ctx)
{
    struct report *r = ctx;
    struct cache *c = ((const struct cache_entry *)entry)->cache;
    fprintf(r->to, "cache %s: %llu objects, %llu of %llu bytes, %llu evicted, %llu waits\n", name,
            (unsigned long long)atomic_load(&c->memory.objects),
            (unsigned long long)atomic_load(&c->memory.budget.used),
            (unsigned long long)atomic_load(&c->memory.budget.most),
            (unsigned long long)atomic_load(&c->memory.evictions),
            (unsigned long long)atomic_load(&c->flights.joined));
    bool has_disk;
    struct disk_counts d = tier_counts(&c->tier, &has_disk);
    if (has_disk)
        fprintf(r->to, "  on disk: %llu objects, %llu of %llu bytes, %llu dropped%s\n",
                (unsigned long long)d.log.objects, (unsigned long long)d.log.bytes,
                (unsigned long long)d.log.quota, (unsigned long long)d.log.dropped,
                d.loading      ? "; being read"
                : d.in_service ? ""
                               : "; out of service, the error log says why");
}

static void stat_all(struct report *r)
{
    fputs("requests:", r->to);
    for (unsigned c = CACHED_NOTHING + 1; c < CACHED_COUNT; c++)
        fprintf(r->to, " %s %llu", cached_info(c)->word, (unsigned long long)cached_sum(c));
    fprintf(r->to, "\nsaved: %llu bytes\n",
            (unsigned long long)stat_sum(STAT_cache_saved_bytes_total));
}

/* ---- show ---- */

static void show_of(const char *name, const void *entry, void *ctx)
{
    const struct report *r = ctx;
    struct cache *c = ((const struct cache_entry *)entry)->cache;
    fprintf(r->to, "cache %s:\n", name);
    cache_show_memory(r->to, &c->memory, r->url, r->now_s, asked_of(r));
}

/* False: it has none, or that is not in service. */
static bool hold_disk(struct report *r, const char *name, struct tier *t)
{
    struct disk *d = r->nheld < r->room ? tier_use(t) : NULL;
    char *copy = d ? strdup(name) : NULL;
    if (copy)
        r->held[r->nheld++] = (struct held){ d, copy };
    else if (d)
        disk_let(d);
    return copy != NULL;
}

static void note_disk(const char *name, const void *entry, void *ctx)
{
    (void)hold_disk(ctx, name, &((const struct cache_entry *)entry)->cache->tier);
}

static void show_disk(struct report *r, const struct held *h)
{
    fprintf(r->to, "cache %s, on disk:\n", h->name);
    cache_show_disk(r->to, h->disk, &r->parts, slice_of(r->spaces), r->now_s, asked_of(r));
}

/* ---- why ---- */

/* The space is a part of the key, and a question names none. */
static void why_of(const char *name, const void *entry, void *ctx)
{
    struct report *r = ctx;
    struct cache *c = ((const struct cache_entry *)entry)->cache;
    struct cache_url url = r->parts;
    struct slice rest = slice_of(r->spaces);
    bool told = false;
    show_of(name, entry, ctx);
    while (slice_cut(&rest, '\n', &url.space)) {
        struct cache_key key;
        u64 ago;
        cache_key_of(&c->memory.secret, &url, &key);
        enum kept why = refusal_noted(&c->refusals, &key, r->now_s, &ago);
        if (why == KEPT_YES)
            continue;
        fprintf(r->to, "  the last answer, %llu s ago, was not kept: %s (%s)\n",
                (unsigned long long)ago, kept_info(why)->text, kept_info(why)->word);
        told = true;
    }
    if (!told)
        fputs("  no answer was turned away in the last hour\n", r->to);
}

/* "METHOD URL", and fields behind it, a line each. */
static bool read_why(struct report *r, struct slice question)
{
    struct slice url;
    slice_cut(&question, '\n', &url);
    slice_cut(&url, ' ', &r->word);
    if (!read_url(r, url))
        return false;
    if (question.p)
        r->wrong = asked_read(&r->asked, r->word, url, question);
    return r->wrong == NULL;
}

static void why_request(struct report *r, bool has_routes)
{
    if (r->asked.msg)
        asked_show(r->to, &r->asked, has_routes);
    enum method m = method_find(r->word);
    if (m == METHOD_GET || m == METHOD_HEAD)
        return;
    fputs("  the cache is not asked: ", r->to);
    fputs(method_is_safe(m)
              ? "only GET and HEAD are\n"
              : "only GET and HEAD are; a success takes out what is kept of the URL\n",
          r->to);
}

/* ---- purge ---- */

/* On disk the space is a part of the key. */
static unsigned purge_everywhere(struct cache *c, const struct report *r)
{
    unsigned n = 0;
    struct cache_url url = r->parts;
    struct slice rest = slice_of(r->spaces);
    while (slice_cut(&rest, '\n', &url.space))
        n += purge_url(c, &url);
    return n;
}

static void purge_of(const char *name, const void *entry, void *ctx)
{
    struct report *r = ctx;
    struct cache *c = ((const struct cache_entry *)entry)->cache;
    const struct purge_what what = { r->how, r->url, r->soft };
    bool lasts;
    unsigned n = r->how == URL_WHOLE && !r->soft ? purge_everywhere(c, r) : 0;
    n += purge_matching(c, &what, r->now_s, &lasts);
    fprintf(r->to, "cache %s: %u %s", name, n, r->soft ? "made stale" : "taken out");
    if (!lasts)
        fputs(" in memory; of what is on disk nothing: too many purges are in force", r->to);
    else if (tier_has_disk(&c->tier) && (r->how != URL_WHOLE || r->soft))
        fputs(" in memory, and all such on disk", r->to);
    fputc('\n', r->to);
}

static bool takes(struct slice *rest, const char *option)
{
    struct slice after = *rest, word;
    if (!slice_cut(&after, ' ', &word) || !slice_is(word, option))
        return false;
    *rest = after;
    return true;
}

/* "[--soft] URL | --prefix URL | --tag TAG | --all" */
static bool read_purge(struct report *r, struct slice rest)
{
    r->soft = takes(&rest, "--soft");
    if (takes(&rest, "--all")) {
        r->how = URL_PREFIX;
        return rest.n == 0;
    }
    if (takes(&rest, "--tag")) {
        r->how = URL_TAG;
        r->url = rest;
        return rest.n > 0 && slice_find(rest, ' ') == NULL;
    }
    r->how = takes(&rest, "--prefix") ? URL_PREFIX : URL_WHOLE;
    return read_url(r, rest);
}

/* ---- verify ---- */

static _Atomic bool ending;

void cache_report_end(void)
{
    atomic_store(&ending, true);
}

static void verify_of(const char *name, const void *entry, void *ctx)
{
    struct report *r = ctx;
    struct tier *t = &((const struct cache_entry *)entry)->cache->tier;
    if (!hold_disk(r, name, t))
        fprintf(r->to, "cache %s: %s\n", name,
                tier_has_disk(t) ? "its disk is not in service" : "nothing is kept on disk");
}

static void verify_disk(struct report *r, const struct held *h)
{
    struct seglog_verified v = seglog_verify(disk_log(h->disk), &ending);
    fprintf(r->to, "cache %s: %llu read, %llu bytes, %llu bad and forgotten%s\n", h->name,
            (unsigned long long)v.records, (unsigned long long)v.bytes, (unsigned long long)v.bad,
            atomic_load(&ending) ? "; the proxy ends, so not all of it" : "");
}

/* ---- the disks ---- */

static void read_disks(struct report *r, void (*read)(struct report *r, const struct held *h))
{
    for (unsigned i = 0; i < r->nheld; i++) {
        read(r, &r->held[i]);
        disk_let(r->held[i].disk);
        free(r->held[i].name);
    }
}

/* ---- which it is ---- */

typedef void each_cache(const char *name, const void *entry, void *ctx);

/* NULL: it is no such question. */
static each_cache *understand(struct report *r, struct slice question)
{
    struct slice verb, rest = question;
    slice_cut(&rest, ' ', &verb);
    if (slice_is(verb, "stat"))
        return rest.n == 0 ? stat_of : NULL;
    if (slice_is(verb, "verify"))
        return rest.n == 0 ? verify_of : NULL;
    if (slice_is(verb, "show"))
        return read_url(r, rest) ? show_of : NULL;
    if (slice_is(verb, "why"))
        return read_why(r, rest) ? why_of : NULL;
    return slice_is(verb, "purge") && read_purge(r, rest) ? purge_of : NULL;
}

static char *not_understood(struct slice question, const char *wrong)
{
    char *text = NULL;
    if (wrong)
        return asprintf(&text, "%s\n", wrong) < 0 ? NULL : text;
    if (memmem(question.p, question.n, " https://", 9))
        return strdup(
            "of https nothing is kept: it goes through tunnels, which are not looked into\n");
    return strdup(
        "expected stat, verify, show URL, why METHOD URL [HEADERS] or purge [--soft] URL | "
        "--prefix URL | "
        "--tag TAG | --all, and a URL such as http://example.com/\n");
}

unsigned cache_report(struct registry *registry, struct slice question, char **text)
{
    struct report *r = calloc(1, sizeof *r);
    size_t n;
    each_cache *each = r ? understand(r, question) : NULL;
    if (each == NULL) {
        *text = not_understood(question, r ? r->wrong : NULL);
        if (r)
            asked_end(&r->asked);
        free(r);
        return 400;
    }
    r->room = registry_count(registry, &caches);
    r->held = calloc(r->room + 1, sizeof *r->held);
    r->to = r->held ? open_memstream(text, &n) : NULL;
    if (r->to == NULL) {
        free(r->held);
        asked_end(&r->asked);
        free(r);
        return 500;
    }
    r->spaces = spaces_of(registry);
    r->now_s = clock_us(CLOCK_REALTIME) / 1000000;
    if (each == why_of)
        why_request(r, registry_count(registry, &pools) > 0);
    if (r->room == 0)
        fputs("the configuration has no cache\n", r->to);
    registry_each(registry, &caches, each, r);
    if (each == show_of || each == why_of)
        registry_each(registry, &caches, note_disk, r);
    read_disks(r, each == verify_of ? verify_disk : show_disk);
    if (each == stat_of)
        stat_all(r);
    fclose(r->to);
    free(r->held);
    free(r->spaces);
    asked_end(&r->asked);
    free(r);
    return 200;
}
