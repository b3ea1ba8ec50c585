/*
 * Open addressing over buckets of one cache line: five fingerprints and their values. At most four
 * fifths are used, so a look-up in a million entries (16 MB) reads 1.2 lines per probe, and a full
 * bucket is the only reason to go on to the next one.
 *
 * The fingerprint of a name is a chain from its last label to its first, so all suffixes come out
 * of one pass. Each link multiplies 64 × 64 bits with the process key mixed in on both sides.
 */
#include "filters/hostset.h"

#include <endian.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/str.h"
#include "filters/print.h"

enum {
    SLOTS = 5,
    USED_AT_MOST = 4,      /* per bucket on average; < SLOTS, so one always has room */
    CACHED_BUCKETS = 4096, /* 256 kB: below that prefetching gains nothing */
    HOST_BYTES = 255,
};

struct hostset_bucket {
    u64 print[SLOTS]; /* filled from the front; 0: free */
    u32 value[SLOTS];
    u32 unused;
};
_Static_assert(sizeof(struct hostset_bucket) == CACHE_LINE, "a probe reads one cache line");

/* ---- fingerprints ---- */

/* Bit i: byte i of the word is a dot. */
static inline u64 dots_in(u64 word)
{
    const u64 low7 = 0x7f7f7f7f7f7f7f7f;
    u64 x = word ^ 0x2e2e2e2e2e2e2e2e;
    u64 zero = ~(((x & low7) + low7) | x | low7); /* 0x80 in every byte of x that is 0 */
    return ((zero >> 7) * 0x0102040810204080) >> 56;
}

/* Where the dots are, one bit per byte: looking for them one by one would mispredict per label. */
static void find_dots(u64 dots[4], struct slice s)
{
    size_t i = 0;
    dots[0] = dots[1] = dots[2] = dots[3] = 0;
    for (; i + 8 <= s.n; i += 8)
        dots[i / 64] |= dots_in(le64toh(print_load8(s.p + i))) << (i % 64);
    for (; i < s.n; i++)
        dots[i / 64] |= (u64)(s.p[i] == '.') << (i % 64);
}

void host_prints(struct host_prints *out, struct slice host)
{
    out->n = 0;
    if (host.n == 0 || host.n > HOST_BYTES)
        return;
    const struct hash_key *key = hash_process_key();
    u64 h = key->k[0], dots[4];
    size_t end = host.n;
    find_dots(dots, host);
    for (int w = (int)(host.n - 1) / 64; w >= 0; w--) {
        while (dots[w]) {
            unsigned bit = 63 - (unsigned)__builtin_clzll(dots[w]);
            size_t at = 64 * (size_t)w + bit;
            dots[w] ^= (u64)1 << bit;
            if (unlikely(out->n == HOST_LABELS - 1)) { /* only empty labels make so many */
                out->n = 0;
                return;
            }
            h = print_link(h, key->k[1], host.p + at + 1, end - at - 1);
            out->of[out->n++] = h;
            end = at;
        }
    }
    out->of[out->n++] = print_link(h, key->k[1], host.p, end);
}

static inline u64 print_of(u64 h, enum host_kind kind)
{
    h ^= kind == HOST_BELOW ? PRINT_SALT : 0;
    return h ? h : 1;
}

/* ---- the table ---- */

static inline size_t home_of(const struct hostset *s, u64 print)
{
    return (size_t)(((unsigned __int128)print * s->buckets) >> 64);
}

/* The value of a print, or NULL; *room is then where it would go. */
static u32 *seek(const struct hostset *s, u64 print, u64 **room)
{
    for (size_t at = home_of(s, print);; at = at + 1 == s->buckets ? 0 : at + 1) {
        struct hostset_bucket *b = &s->bucket[at];
        for (unsigned i = 0; i < SLOTS; i++) {
            if (b->print[i] == print)
                return &b->value[i];
            if (b->print[i] == 0) {
                if (room)
                    *room = &b->print[i];
                return NULL;
            }
        }
    }
}

static u32 *put(struct hostset *s, u64 print)
{
    u64 *room = NULL;
    u32 *value = seek(s, print, &room);
    if (value)
        return value;
    *room = print;
    return seek(s, print, NULL);
}

static void resize(struct hostset *s, size_t buckets)
{
    struct hostset old = *s;
    size_t bytes = buckets * sizeof(struct hostset_bucket) + CACHE_LINE;
    char *p = s->arena ? arena_zalloc(s->arena, bytes) : must_zalloc(bytes);
    s->memory = s->arena ? NULL : p;
    s->bucket = (void *)(p + (-(uintptr_t)p & (CACHE_LINE - 1)));
    s->buckets = buckets;
    for (size_t i = 0; i < old.buckets; i++)
        for (unsigned j = 0; j < SLOTS && old.bucket[i].print[j]; j++)
            *put(s, old.bucket[i].print[j]) = old.bucket[i].value[j];
    for (size_t i = 0; old.bucket == NULL && i < s->entries; i++)
        *put(s, print_of(old.few[i].print, old.few[i].kind)) = old.few[i].value;
    free(old.memory);
}

void hostset_init(struct hostset *s, struct arena *arena, size_t expected)
{
    *s = (struct hostset){ .arena = arena };
    if (expected > HOSTSET_FEW)
        resize(s, (expected + USED_AT_MOST - 1) / USED_AT_MOST);
}

void hostset_free(struct hostset *s)
{
    free(s->memory);
    *s = (struct hostset){ .arena = s->arena };
}

bool host_pattern(struct slice pattern, enum host_kind *kind, struct slice *host)
{
    *kind = HOST_ITSELF;
    if (slice_starts(pattern, SLICE("*."))) {
        *kind = HOST_BELOW;
        pattern = slice_skip(pattern, 2);
    } else if (slice_starts(pattern, SLICE("."))) {
        *kind = HOST_BOTH;
        pattern = slice_skip(pattern, 1);
    }
    *host = pattern;
    if (pattern.n == 0 || pattern.n > 253)
        return false;
    struct slice label;
    while (slice_cut(&pattern, '.', &label))
        if (label.n == 0)
            return false;
    return true;
}

static u32 *few_slot(struct hostset *s, enum host_kind kind, const struct host_prints *host)
{
    u64 print = host->of[host->n - 1];
    u8 labels = (u8)host->n;
    for (size_t i = 0; i < s->entries; i++)
        if (s->few[i].print == print && s->few[i].kind == kind)
            return &s->few[i].value;
    if (s->entries == HOSTSET_FEW)
        return NULL;
    struct hostset_entry *e = &s->few[s->entries];
    *e = (struct hostset_entry){ print, 0, labels, labels, labels, (u8)kind };
    if (kind == HOST_BELOW) {
        e->least++;
        e->most = HOST_LABELS;
    }
    return &e->value;
}

u32 *hostset_slot(struct hostset *s, enum host_kind kind, struct slice host)
{
    must(kind == HOST_ITSELF || kind == HOST_BELOW);
    char lower[HOST_BYTES];
    must(host.n > 0 && host.n <= sizeof lower);
    for (size_t i = 0; i < host.n; i++)
        lower[i] = ascii_lower(host.p[i]);
    struct host_prints prints;
    host_prints(&prints, (struct slice){ lower, host.n });
    must(prints.n > 0);

    s->depths[kind == HOST_BELOW] |= (u64)1 << (prints.n > 64 ? 63 : prints.n - 1);
    u32 *value = s->bucket ? NULL : few_slot(s, kind, &prints);
    if (value == NULL) {
        if (s->entries >= s->buckets * USED_AT_MOST)
            resize(s, s->buckets ? s->buckets + s->buckets / 2 + 1 : 2);
        value = put(s, print_of(prints.of[prints.n - 1], kind));
    }
    s->entries += *value == 0;
    return value;
}

bool hostset_add(struct hostset *s, struct slice pattern, u32 value)
{
    enum host_kind kinds;
    struct slice host;
    must(value > 0);
    if (!host_pattern(pattern, &kinds, &host))
        return false;
    for (enum host_kind kind = HOST_ITSELF; kind <= HOST_BELOW; kind++) {
        u32 *slot = (kinds & kind) ? hostset_slot(s, kind, host) : NULL;
        if (slot && *slot == 0)
            *slot = value;
    }
    return true;
}

/* Has the set entries of this kind with i + 1 labels at all? Most sets have two or three depths, so
 * most suffixes need no probe. */
static inline bool has_depth(const struct hostset *s, enum host_kind kind, unsigned i)
{
    return s->depths[kind == HOST_BELOW] >> (i < 63 ? i : 63) & 1;
}

static void prefetch(const struct hostset *s, const struct host_prints *host)
{
    for (unsigned i = 0; i < host->n; i++) {
        enum host_kind kind = i + 1 == host->n ? HOST_ITSELF : HOST_BELOW;
        if (has_depth(s, kind, i))
            __builtin_prefetch(&s->bucket[home_of(s, print_of(host->of[i], kind))]);
    }
}

/* The most specific entry has the most labels; two that cover one name never have as many. */
static unsigned all_of_few(const struct hostset *s, const struct host_prints *host, u32 *values,
                           unsigned max)
{
    unsigned found = 0, before = HOST_LABELS + 1;
    while (found < max) {
        const struct hostset_entry *best = NULL;
        for (const struct hostset_entry *e = s->few; e < s->few + s->entries; e++)
            if (e->labels < before && (best == NULL || e->labels > best->labels) &&
                hostset_entry_covers(e, host))
                best = e;
        if (best == NULL)
            break;
        values[found++] = best->value;
        before = best->labels;
    }
    return found;
}

unsigned hostset_all(const struct hostset *s, const struct host_prints *host, u32 *values,
                     unsigned max)
{
    unsigned found = 0;
    if (s->bucket == NULL)
        return all_of_few(s, host, values, max);
    if (s->buckets > CACHED_BUCKETS)
        prefetch(s, host);
    for (unsigned i = host->n; i-- > 0 && found < max;) {
        enum host_kind kind = i + 1 == host->n ? HOST_ITSELF : HOST_BELOW;
        if (!has_depth(s, kind, i))
            continue;
        const u32 *value = seek(s, print_of(host->of[i], kind), NULL);
        if (value)
            values[found++] = *value;
    }
    return found;
}

u32 hostset_find(const struct hostset *s, const struct host_prints *host)
{
    u32 value = 0;
    hostset_all(s, host, &value, 1);
    return value;
}
