#include "tests/unit/cache/help_log.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "cache/disk/segment.h"

static char folder[64];
static const char *above = "/tmp";

const char *help_log_folder(void)
{
    return folder;
}

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

struct seglog *help_log_only_opened(u64 quota)
{
    char why[256];
    segment_calls.fdatasync = no_sync;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/proxyd-log-XXXXXX", above);
        must(mkdtemp(folder));
    }
    struct seglog *l = seglog_open(folder, quota, why, sizeof why);
    if (l == NULL)
        fprintf(stderr, "%s\n", why);
    return l;
}

struct seglog *help_log(u64 quota)
{
    const _Atomic bool stop = false;
    struct seglog *l = help_log_only_opened(quota);
    if (l)
        seglog_load(l, &stop);
    return l;
}

struct seglog *help_log_in_memory(u64 quota)
{
    above = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    return help_log(quota);
}

struct seglog *help_log_again(struct seglog *l)
{
    u64 quota = seglog_counts(l).quota;
    seglog_close(l);
    return help_log(quota);
}

static int delete_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(path);
}

void help_log_delete(void)
{
    if (folder[0])
        nftw(folder, delete_one, 8, FTW_DEPTH | FTW_PHYS);
    folder[0] = 0;
    above = "/tmp";
}

void help_log_end(struct seglog *l)
{
    if (l)
        seglog_close(l);
    help_log_delete();
}

static u64 mix(u64 x)
{
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

struct cache_key help_key(u64 n)
{
    return (struct cache_key){ { mix(n + 1), mix(n + 77777) } };
}

void help_bytes(char *to, size_t n, u64 seed)
{
    for (size_t i = 0; i < n; i += sizeof(u64)) {
        u64 word = mix(seed + i);
        memcpy(to + i, &word, n - i < sizeof word ? n - i : sizeof word);
    }
}

struct meta {
    u64 n, version, variant;
    u32 body, part;
};

static u64 seed_of(const struct meta *m, u32 part)
{
    return mix(m->n * 1000003 + m->version) + m->variant + (u64)part * 7919;
}

bool help_append(struct seglog *l, const struct help_record *h)
{
    struct meta m = { h->n, h->version, h->variant, h->body, h->part };
    struct cache_key key = help_key(h->n);
    struct seglog_place part[16];
    char url[64], *bytes = malloc(SEGLOG_PART + 64);
    bool good = bytes != NULL;
    snprintf(url, sizeof url, "http://h.test/%llu/x", (unsigned long long)h->n);
    for (u32 i = 0; good && i < h->parts; i++) {
        help_bytes(bytes, h->part, seed_of(&m, i + 1));
        struct iovec v[2] = { { bytes, 1 }, { bytes + 1, h->part - 1 } };
        good = seglog_append_bytes(l, v, 2, &part[i]);
    }
    if (good) {
        help_bytes(bytes, h->body, seed_of(&m, 0));
        struct iovec v = { bytes, h->body };
        struct seglog_record r = { key,
                                   h->variant,
                                   h->until ? h->until : UINT64_MAX,
                                   slice_of(h->vary ? h->vary : ""),
                                   slice_of(url),
                                   slice_of(h->tags ? h->tags : ""),
                                   { (const char *)&m, sizeof m },
                                   &v,
                                   1,
                                   part,
                                   h->parts };
        good = seglog_append_record(l, &r);
    }
    free(bytes);
    return good;
}

static char *payload_of(const struct segment *s, const struct seglog_place *p,
                        enum seglog_kind kind)
{
    char *got = malloc(p->n + 1);
    bool good = got && seglog_read(s, p, 0, got, p->n, true) == (ssize_t)p->n &&
                seglog_check(s, p, kind, (struct slice){ got, p->n });
    if (good)
        return got;
    free(got);
    return NULL;
}

static bool same_bytes(const char *got, u32 n, u64 seed)
{
    char *want = malloc(n + 8);
    help_bytes(want, n, seed);
    bool same = memcmp(got, want, n) == 0;
    free(want);
    return same;
}

/* 1: right, -1: wrong, 0: gone. */
static int part_right(struct seglog *l, const struct meta *m, u32 i, const struct seglog_place *p)
{
    struct segment *s = seglog_hold(l, p->segment);
    if (s == NULL)
        return 0;
    char *got = payload_of(s, p, SEGLOG_BYTES);
    int is = got && p->n == m->part && same_bytes(got, p->n, seed_of(m, i + 1)) ? 1 : -1;
    free(got);
    seglog_let(&s);
    return is;
}

static i64 version_of(struct seglog *l, const struct segment *s, const struct seglog_place *p,
                      u64 n, u64 variant)
{
    struct seglog_record r;
    struct iovec piece;
    struct cache_key key = help_key(n);
    struct meta m;
    i64 version = -1;
    char *got = payload_of(s, p, SEGLOG_RECORD);
    if (got && seglog_record_read((struct slice){ got, p->n }, &r, &piece) &&
        r.meta.n == sizeof m && cache_key_same(&r.key, &key)) {
        memcpy(&m, r.meta.p, sizeof m);
        if (m.n == n && m.variant == variant && r.variant == variant && m.body == piece.iov_len &&
            same_bytes(piece.iov_base, m.body, seed_of(&m, 0)))
            version = (i64)m.version;
    }
    for (u32 i = 0; version > 0 && i < r.nparts; i++) {
        int is = part_right(l, &m, i, &r.part[i]);
        version = is == 1 ? version : is;
    }
    if (version > 0 && seglog_standing(l, &key, p, r.url, r.tags) != SEGLOG_STANDS)
        version = 0;
    free(got);
    return version;
}

static u64 variant_is(void *ctx, struct slice vary)
{
    (void)vary;
    return *(u64 *)ctx;
}

i64 help_found_variant(struct seglog *l, u64 n, u64 variant)
{
    struct cache_key key = help_key(n);
    struct seglog_place p;
    struct segment *s = seglog_find(l, &key, variant_is, &variant, &p);
    i64 version = s ? version_of(l, s, &p, n, variant) : 0;
    seglog_let(&s);
    return version;
}

i64 help_found(struct seglog *l, u64 n)
{
    return help_found_variant(l, n, 0);
}

bool help_place(struct seglog *l, u64 n, struct seglog_place *p)
{
    struct cache_key key = help_key(n);
    u64 variant = 0;
    struct segment *s = seglog_find(l, &key, variant_is, &variant, p);
    bool found = s != NULL;
    seglog_let(&s);
    return found;
}
