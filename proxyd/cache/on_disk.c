#include "cache/on_disk.h"

#include <stdlib.h>

struct look {
    struct seglog *log;
    struct cache_key key;
    void (*each)(void *ctx, const struct seglog_record *r, const struct stored_meta *m, bool stale);
    void *ctx;
};

static void tell(const struct look *k, const struct seglog_place *p, struct slice payload)
{
    struct seglog_record r;
    struct stored_meta m;
    struct iovec piece;
    if (!seglog_record_read(payload, &r, &piece) || !stored_read(r.meta, &m) ||
        !cache_key_same(&r.key, &k->key))
        return;
    enum seglog_standing standing = seglog_standing(k->log, &r.key, p, r.url, r.tags);
    if (standing != SEGLOG_BANNED)
        k->each(k->ctx, &r, &m, standing == SEGLOG_STALE);
}

static void look_at(const struct look *k, const struct seglog_place *p)
{
    struct segment *s = seglog_hold(k->log, p->segment);
    char *area = s ? malloc(p->n) : NULL;
    struct slice payload = { area, p->n };
    size_t have = 0;
    for (ssize_t n = 1; area && have < p->n && n > 0; have += n > 0 ? (size_t)n : 0)
        n = seglog_read(s, p, have, area + have, p->n - have, true);
    if (area && have == p->n && seglog_check(s, p, SEGLOG_RECORD, payload))
        tell(k, p, payload);
    free(area);
    if (s)
        seglog_let(&s);
}

void on_disk_each(struct disk *d, const struct cache_url *url,
                  void (*each)(void *ctx, const struct seglog_record *r,
                               const struct stored_meta *m, bool stale),
                  void *ctx)
{
    struct seglog_place place[SEGLOG_VARIANTS];
    struct look k = { .log = disk_log(d), .each = each, .ctx = ctx };
    const struct cache_secret secret = { *seglog_secret(k.log) };
    cache_key_of(&secret, url, &k.key);
    u32 n = seglog_all(k.log, &k.key, place);
    for (u32 i = 0; i < n; i++)
        look_at(&k, &place[i]);
}
