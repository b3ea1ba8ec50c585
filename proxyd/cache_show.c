/*
 * A line for each response that a cache keeps of a URL. The hard thing is one that is kept in
 * slices (cache/manifest.h): its manifest is shown as the whole response that it stands for, and
 * the slices, of which there may be thousands, are counted.
 */
#include "cache_show.h"

#include "base/str.h"
#include "cache/manifest.h"
#include "cache/on_disk.h"
#include "cache/status.h"
#include "config/shown.h"

struct showing {
    FILE *to;
    struct slice url; /* of memory: as caches compare it */
    u64 now_s;
    const struct asked *asked;         /* NULL: nothing */
    struct cache_secret secret;        /* of variants */
    unsigned found, fit;               /* fit: are for the request that is asked about */
    struct manifest sliced[VARY_MOST]; /* those that show_object has shown */
    unsigned nsliced;
    u64 slices; /* that are kept of one of them */
};

/* A response that is kept, wherever. */
struct kept_one {
    u16 status;
    u64 bytes;
    bool grows, sliced;
    const struct freshness *fresh;
    const struct addr *server;
    u64 variant;
    struct slice vary, tags, rule;
};

static void show_asked(struct showing *r, const struct kept_one *k)
{
    const struct asked_of of = { r->secret, k->vary, k->variant, k->fresh, k->grows };
    r->fit += asked_show_kept(r->to, r->asked, &of, r->now_s);
}

static void show_one(struct showing *r, const struct kept_one *k)
{
    char server[ADDR_TEXT];
    struct text t = text_in(server, sizeof server);
    u32 age = freshness_age(k->fresh, r->now_s);
    i64 left = (i64)k->fresh->lifetime - age;
    addr_text_port(&t, k->server);
    r->found++;
    fprintf(r->to, "  %u, %llu bytes%s, age %u s, %s for %lld s, from %.*s",
            k->sliced ? 200u : k->status, (unsigned long long)k->bytes,
            k->sliced  ? " in slices"
            : k->grows ? " so far"
                       : "",
            age, left > 0 ? "fresh" : "stale", (long long)(left > 0 ? left : -left),
            SLICE_FMT(text_slice(&t)));
    if (k->vary.n) {
        fputs(", by ", r->to);
        shown_put(r->to, k->vary);
    }
    if (k->tags.n) {
        fputs(", tags", r->to);
        shown_put(r->to, (struct slice){ k->tags.p, k->tags.n - 1 });
    }
    if (k->rule.n) {
        fputs(", kept by what the rule or route ", r->to);
        shown_put(r->to, k->rule);
        fputs(" says", r->to);
    }
    fputc('\n', r->to);
    if (r->asked)
        show_asked(r, k);
}

static void show_end(const struct showing *r)
{
    if (r->found == 0)
        fputs("  nothing is kept\n", r->to);
    else if (r->asked && r->fit == 0)
        fprintf(r->to, "  none of these is for this request (%.*s)\n",
                SLICE_FMT(fwd_word(FWD_VARY_MISS)));
}

/* Of a slice nothing is shown: they are counted. There may be thousands. */
static void show_object(void *ctx, struct object *o)
{
    struct showing *r = ctx;
    struct freshness area;
    struct manifest of = { .length = body_have(o->body) };
    if (url_is_block(o->url))
        return;
    bool sliced = manifest_of(o, &of) && r->nsliced < countof(r->sliced);
    if (sliced)
        r->sliced[r->nsliced++] = of;
    show_one(ctx, &(struct kept_one){ .status = o->head->status,
                                      .bytes = of.length,
                                      .grows = object_is_growing(o),
                                      .sliced = sliced,
                                      .fresh = object_fresh(o, &area),
                                      .server = &o->server,
                                      .variant = o->variant,
                                      .vary = o->vary,
                                      .tags = o->tags,
                                      .rule = o->rule });
}

static void count_slice(void *ctx, struct object *o)
{
    struct showing *r = ctx;
    r->slices += block_is_of(o->url, &r->sliced[r->nsliced]);
}

static void show_slices(struct showing *r, struct memory *m)
{
    while (r->nsliced) {
        const struct manifest *of = &r->sliced[--r->nsliced];
        r->slices = 0;
        memory_each(m, r->url, count_slice, r);
        fprintf(r->to, "  in slices of %llu bytes: %llu of %llu in memory\n",
                (unsigned long long)of->size, (unsigned long long)r->slices,
                (unsigned long long)((of->length + of->size - 1) / of->size));
    }
}

static void show_record(void *ctx, const struct seglog_record *record, const struct stored_meta *m,
                        bool stale)
{
    struct showing *r = ctx;
    struct freshness fresh = m->fresh;
    struct slice rest = m->head, word;
    struct manifest of = { .length = m->length };
    u64 status = 0;
    slice_cut(&rest, ' ', &word);
    slice_cut(&rest, ' ', &word);
    (void)slice_u64(word, &status);
    bool sliced =
        status == 206 && record->nbody == 1 &&
        manifest_read((struct slice){ record->body->iov_base, record->body->iov_len }, &of);
    fresh.lifetime = stale ? 0 : fresh.lifetime;
    show_one(r, &(struct kept_one){ .status = (u16)status,
                                    .bytes = of.length,
                                    .sliced = sliced,
                                    .fresh = &fresh,
                                    .server = &m->server,
                                    .variant = record->variant,
                                    .vary = record->vary,
                                    .tags = record->tags,
                                    .rule = m->rule });
}

void cache_show_memory(FILE *to, struct memory *m, struct slice url, u64 now_s,
                       const struct asked *asked)
{
    struct showing r = {
        .to = to, .url = url, .now_s = now_s, .asked = asked, .secret = m->secret
    };
    memory_each(m, url, show_object, &r);
    show_slices(&r, m);
    show_end(&r);
}

void cache_show_disk(FILE *to, struct disk *d, const struct cache_url *url, struct slice spaces,
                     u64 now_s, const struct asked *asked)
{
    struct showing r = {
        .to = to, .now_s = now_s, .asked = asked, .secret = { *seglog_secret(disk_log(d)) }
    };
    struct cache_url in = *url;
    while (slice_cut(&spaces, '\n', &in.space))
        on_disk_each(d, &in, show_record, &r);
    show_end(&r);
}
