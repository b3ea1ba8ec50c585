#include "cache/disk/layout.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FRAME_MAGIC = 0x6d466b50, LAST_MAGIC = 0x6c536b50 }; /* "PkFm", "PkSl" */

struct first_unit {
    char what[16];
    u32 version, segment;
    u64 sum;
};

struct last_unit {
    u32 magic, footer;
    u64 sum;
};

struct record_fixed {
    struct cache_key key;
    u64 variant, until;
    u32 nparts, vary, url, tags, meta, body; /* bytes, but for nparts; in this order behind it */
};

_Static_assert(sizeof(struct frame_head) == FRAME_HEAD, "a head has no holes");
_Static_assert(sizeof(struct record_fixed) == RECORD_FIXED, "it has no holes");
_Static_assert(sizeof(struct seg_entry) == 40, "it has no holes");
_Static_assert(sizeof(struct seglog_place) == 12, "it has no holes");

u64 layout_seed(u64 salt, u32 segment, u32 at)
{
    return salt ^ ((u64)segment << 32 | at) * 0x9e3779b97f4a7c15u;
}

static u64 sum(const void *p, size_t n, u64 seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

void frame_head_write(struct frame_head *h, u64 seed, enum seglog_kind kind, const void *payload,
                      u32 n)
{
    *h = (struct frame_head){ .magic = FRAME_MAGIC, .kind = (u8)kind, .n = n };
    h->payload_sum = sum(payload, n, seed);
    h->own_sum = sum(h, offsetof(struct frame_head, own_sum), seed);
}

bool frame_head_good(const struct frame_head *h, u64 seed)
{
    return h->magic == FRAME_MAGIC &&
           h->own_sum == sum(h, offsetof(struct frame_head, own_sum), seed);
}

bool frame_payload_good(const struct frame_head *h, u64 seed, struct slice payload)
{
    return payload.n == h->n && h->payload_sum == sum(payload.p, payload.n, seed);
}

void layout_first_write(void *unit, u64 salt, u32 segment)
{
    struct first_unit f = { "proxyd segment\n", LAYOUT_VERSION, segment, 0 };
    f.sum = sum(&f, offsetof(struct first_unit, sum), layout_seed(salt, segment, 0));
    memset(unit, 0, SEGLOG_UNIT);
    memcpy(unit, &f, sizeof f);
}

bool layout_first_good(const void *unit, u64 salt, u32 segment)
{
    char want[SEGLOG_UNIT];
    layout_first_write(want, salt, segment);
    return memcmp(unit, want, SEGLOG_UNIT) == 0;
}

void layout_last_write(void *unit, u64 salt, u32 segment, u32 at, u32 footer)
{
    struct last_unit l = { LAST_MAGIC, footer, 0 };
    l.sum = sum(&l, offsetof(struct last_unit, sum), layout_seed(salt, segment, at));
    memset(unit, 0, SEGLOG_UNIT);
    memcpy(unit, &l, sizeof l);
}

bool layout_last_read(const void *unit, u64 salt, u32 segment, u32 at, u32 *footer)
{
    char want[SEGLOG_UNIT];
    struct last_unit l;
    memcpy(&l, unit, sizeof l);
    layout_last_write(want, salt, segment, at, l.footer);
    *footer = l.footer;
    return memcmp(unit, want, SEGLOG_UNIT) == 0 && l.footer < at;
}

static u64 body_bytes(const struct seglog_record *r)
{
    u64 n = 0;
    for (u32 i = 0; i < r->nbody; i++)
        n += r->body[i].iov_len;
    return n;
}

u32 record_bytes(const struct seglog_record *r)
{
    u64 body = body_bytes(r);
    u64 n = RECORD_FIXED + body + r->vary.n + r->url.n + r->tags.n + r->meta.n;
    if (r->nparts > SEGLOG_PARTS_MOST || body > SEGLOG_INLINE || r->vary.n > VARY_TEXT_MOST)
        return 0;
    n += r->nparts * sizeof *r->part;
    return n <= FRAME_MOST ? (u32)n : 0;
}

static char *put(char *to, const void *p, size_t n)
{
    if (n)
        memcpy(to, p, n);
    return to + n;
}

void record_write(const struct seglog_record *r, char *payload)
{
    struct record_fixed f = { .key = r->key,
                              .variant = r->variant,
                              .until = r->until,
                              .nparts = r->nparts,
                              .vary = (u32)r->vary.n,
                              .url = (u32)r->url.n,
                              .tags = (u32)r->tags.n,
                              .meta = (u32)r->meta.n,
                              .body = (u32)body_bytes(r) };
    char *to = put(payload, &f, sizeof f);
    to = put(to, r->part, r->nparts * sizeof *r->part);
    to = put(to, r->vary.p, r->vary.n);
    to = put(to, r->url.p, r->url.n);
    to = put(to, r->tags.p, r->tags.n);
    to = put(to, r->meta.p, r->meta.n);
    for (u32 i = 0; i < r->nbody; i++)
        to = put(to, r->body[i].iov_base, r->body[i].iov_len);
}

static struct slice take(const char **p, u32 n)
{
    struct slice s = { *p, n };
    *p += n;
    return s;
}

static bool parts_good(const struct seglog_record *r)
{
    for (u32 i = 0; i < r->nparts; i++)
        if (r->part[i].n == 0 || r->part[i].n > SEGLOG_PART || r->part[i].segment == 0)
            return false;
    return true;
}

bool seglog_record_read(struct slice payload, struct seglog_record *out, struct iovec *piece)
{
    struct record_fixed f;
    if (payload.n < sizeof f || payload.n > FRAME_MOST || (uintptr_t)payload.p % sizeof(u32) != 0)
        return false;
    memcpy(&f, payload.p, sizeof f);
    u64 n = sizeof f + (u64)f.nparts * sizeof *out->part + f.vary + f.url;
    if (n + f.tags + f.meta + f.body != payload.n || f.nparts > SEGLOG_PARTS_MOST ||
        f.body > SEGLOG_INLINE || f.vary > VARY_TEXT_MOST)
        return false;
    const char *p = payload.p + sizeof f;
    *out = (struct seglog_record){ f.key, f.variant, f.until, .nparts = f.nparts };
    out->part = (const struct seglog_place *)(const void *)p;
    p += f.nparts * sizeof *out->part;
    out->vary = take(&p, f.vary);
    out->url = take(&p, f.url);
    out->tags = take(&p, f.tags);
    out->meta = take(&p, f.meta);
    *piece = (struct iovec){ (void *)(uintptr_t)p, f.body };
    out->body = piece;
    out->nbody = 1;
    return parts_good(out);
}

bool record_names(const char *fixed, u32 n, u32 *from, u32 *url, u32 *tags)
{
    struct record_fixed f;
    memcpy(&f, fixed, sizeof f);
    u64 at = sizeof f + (u64)f.nparts * sizeof(struct seglog_place) + f.vary;
    *from = (u32)at;
    *url = f.url;
    *tags = f.tags;
    return at + f.url + f.tags <= n;
}

void ban_write(char *payload, enum seglog_ban_kind kind, bool soft, struct slice text)
{
    const char fixed[BAN_FIXED] = { kind == SEGLOG_BAN_TAG, soft, kind == SEGLOG_BAN_URL };
    put(put(payload, fixed, sizeof fixed), text.p, text.n);
}

bool ban_read(struct slice payload, enum seglog_ban_kind *kind, bool *soft, struct slice *text)
{
    if (payload.n < BAN_FIXED || payload.n > BAN_FIXED + BAN_TEXT_MOST)
        return false;
    *kind = payload.p[0] ? SEGLOG_BAN_TAG : payload.p[2] ? SEGLOG_BAN_URL : SEGLOG_BAN_PREFIX;
    *soft = payload.p[1] != 0;
    *text = slice_skip(payload, BAN_FIXED);
    return true;
}
