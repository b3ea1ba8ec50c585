/*
 * Open addressing over buckets of one cache line. At most four fifths are used, so a look-up among
 * a million reads 1.2 lines, and a full bucket is the only reason to go on to the next one.
 *
 * Four bytes are kept of a print: two bits of kinds, one bit "more", 29 bits of place. With "more"
 * in the table, these are an index into the further places; with it there, another one follows.
 */
#include "filters/printmap.h"

#include <stdlib.h>

#include "base/must.h"

enum {
    SLOTS = 5,
    USED_AT_MOST = 4, /* per bucket on average */
    MORE = 4,
    PLACE_SHIFT = 3,
    CACHED_BUCKETS = 4096, /* 256 kB: below that prefetching gains nothing */
    SORTED_BY_HAND = 24,
    KEY_BYTES = 12,
};

struct printmap_record {
    u64 print;
    u32 place;
    u32 kinds;
};

struct printmap_bucket {
    u64 print[SLOTS]; /* filled from the front; 0: free */
    u32 kept[SLOTS];
    u32 unused;
};
_Static_assert(sizeof(struct printmap_bucket) == CACHE_LINE, "a probe reads one cache line");

bool printmap_add(struct printmap_builder *b, u64 print, unsigned kinds, u32 place)
{
    must((kinds & PRINT_KINDS) && place > 0 && place <= SOURCE_LAST_PLACE);
    if (b->n == b->room) {
        size_t room = b->room ? b->room + b->room / 2 : 64;
        void *p = realloc(b->record, room * sizeof *b->record);
        if (p == NULL)
            return false;
        b->record = p;
        b->room = room;
    }
    b->record[b->n++] = (struct printmap_record){ print ? print : 1, place, kinds };
    return true;
}

void printmap_drop(struct printmap_builder *b)
{
    free(b->record);
    *b = (struct printmap_builder){ 0 };
}

/* ---- sorting by print, then by place ---- */

static inline bool before(const struct printmap_record *a, const struct printmap_record *b)
{
    return a->print != b->print ? a->print < b->print : a->place < b->place;
}

static void sort_few(struct printmap_record *r, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct printmap_record moved = r[i];
        size_t at = i;
        for (; at > 0 && before(&moved, &r[at - 1]); at--)
            r[at] = r[at - 1];
        r[at] = moved;
    }
}

static inline unsigned key_byte(const struct printmap_record *r, unsigned level)
{
    return level < 8 ? (u8)(r->print >> (56 - 8 * level)) : (u8)(r->place >> (88 - 8 * level));
}

/* By the highest byte into 256 heaps, in place, then each heap by the next one: no second array,
 * and a name that stands there ten million times costs four levels more, not a square. */
static void sort_records(struct printmap_record *r, size_t n, unsigned level)
{
    size_t next[256], end[256] = { 0 }, sum = 0;
    if (n <= SORTED_BY_HAND) {
        sort_few(r, n);
        return;
    }
    if (level == KEY_BYTES)
        return;
    for (size_t i = 0; i < n; i++)
        end[key_byte(&r[i], level)]++;
    for (unsigned k = 0; k < 256; k++) {
        next[k] = sum;
        end[k] = sum += end[k];
    }
    for (unsigned k = 0; k < 256; k++) {
        while (next[k] < end[k]) {
            struct printmap_record moved = r[next[k]];
            for (unsigned to; (to = key_byte(&moved, level)) != k;) {
                struct printmap_record displaced = r[next[to]];
                r[next[to]++] = moved;
                moved = displaced;
            }
            r[next[k]++] = moved;
        }
    }
    for (unsigned k = 0; k < 256; k++) {
        size_t from = k ? end[k - 1] : 0;
        if (end[k] - from > 1)
            sort_records(r + from, end[k] - from, level + 1);
    }
}

/* ---- building ---- */

/* What stays of one print's n records, moved to *to: without removed kinds, and of each file only
 * the first place of each kind. */
static size_t keep(struct printmap_record *to, const struct printmap_record *r, size_t n,
                   const struct sources *s)
{
    unsigned removed = 0, seen = 0;
    u32 file_end = 0; /* the place behind the file of the last one kept */
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (r[i].kinds & PRINT_REMOVE)
            removed |= r[i].kinds & PRINT_KINDS;
    for (size_t i = 0; i < n; i++) {
        struct printmap_record one = r[i];
        if (one.kinds & PRINT_REMOVE)
            continue;
        one.kinds &= ~removed;
        if (one.place >= file_end) {
            u32 file = sources_file(s, one.place);
            file_end = file + 1 < s->n ? s->file[file + 1].first : SOURCE_LAST_PLACE + 1u;
            seen = 0;
        }
        if ((one.kinds & ~seen) == 0)
            continue;
        seen |= one.kinds;
        to[kept++] = one;
    }
    return kept;
}

/* Keeps what stays at the front of the records; counts the prints and those of several places. */
static void squeeze(struct printmap_builder *b, const struct sources *s, size_t *prints,
                    size_t *more)
{
    size_t to = 0, n;
    *prints = *more = 0;
    for (size_t i = 0; i < b->n; i += n) {
        for (n = 1; i + n < b->n && b->record[i + n].print == b->record[i].print; n++)
            ;
        size_t kept = keep(b->record + to, b->record + i, n, s);
        to += kept;
        *prints += kept > 0;
        *more += kept > 1 ? kept : 0;
    }
    b->n = to;
}

static inline size_t home_of(const struct printmap *m, u64 print)
{
    return (size_t)(((unsigned __int128)print * m->buckets) >> 64);
}

static inline size_t after(const struct printmap *m, size_t at)
{
    return at + 1 == m->buckets ? 0 : at + 1;
}

static void put(struct printmap *m, u64 print, u32 kept)
{
    for (size_t at = home_of(m, print);; at = after(m, at)) {
        struct printmap_bucket *b = &m->bucket[at];
        for (unsigned i = 0; i < SLOTS; i++) {
            if (b->print[i] == 0) {
                b->print[i] = print;
                b->kept[i] = kept;
                return;
            }
        }
    }
}

static u32 packed(u32 place, unsigned kinds, bool more)
{
    return place << PLACE_SHIFT | (more ? MORE : 0) | kinds;
}

static void fill(struct printmap *m, const struct printmap_record *r, size_t total)
{
    size_t n;
    for (size_t i = 0; i < total; i += n) {
        unsigned kinds = r[i].kinds;
        for (n = 1; i + n < total && r[i + n].print == r[i].print; n++)
            kinds |= r[i + n].kinds;
        if (n == 1) {
            put(m, r[i].print, packed(r[i].place, kinds, false));
            continue;
        }
        put(m, r[i].print, packed((u32)m->nmore, kinds, true));
        for (size_t k = 0; k < n; k++)
            m->more[m->nmore++] = packed(r[i + k].place, r[i + k].kinds, k + 1 < n);
    }
}

bool printmap_build(struct printmap *m, struct printmap_builder *b, const struct sources *s)
{
    size_t prints, more;
    *m = (struct printmap){ 0 };
    sort_records(b->record, b->n, 0);
    squeeze(b, s, &prints, &more);
    size_t buckets = prints / USED_AT_MOST + 1;
    m->memory = prints ? calloc(buckets * sizeof *m->bucket + CACHE_LINE, 1) : NULL;
    m->more = more ? malloc(more * sizeof *m->more) : NULL;
    bool ok = (m->memory || !prints) && (m->more || !more) && more <= SOURCE_LAST_PLACE;
    if (ok && prints) {
        char *p = m->memory;
        m->bucket = (void *)(p + (-(uintptr_t)p & (CACHE_LINE - 1)));
        m->buckets = buckets;
        m->entries = prints;
        fill(m, b->record, b->n);
    }
    if (!ok)
        printmap_free(m);
    printmap_drop(b);
    return ok;
}

void printmap_free(struct printmap *m)
{
    free(m->memory);
    free(m->more);
    *m = (struct printmap){ 0 };
}

size_t printmap_bytes(const struct printmap *m)
{
    return (m->bucket ? m->buckets * sizeof *m->bucket + CACHE_LINE : 0) +
           m->nmore * sizeof *m->more;
}

/* ---- asking ---- */

u32 printmap_seek(const struct printmap *m, u64 print)
{
    if (m->bucket == NULL)
        return 0;
    print = print ? print : 1;
    for (size_t at = home_of(m, print);; at = after(m, at)) {
        const struct printmap_bucket *b = &m->bucket[at];
        for (unsigned i = 0; i < SLOTS; i++) {
            if (b->print[i] == print)
                return b->kept[i];
            if (b->print[i] == 0)
                return 0;
        }
    }
}

u32 printmap_place(const struct printmap *m, u32 kept, unsigned kinds, const struct places *in)
{
    u32 place = kept >> PLACE_SHIFT;
    if (!(kept & MORE))
        return (kept & kinds) && places_have(in, place) ? place : 0;
    for (const u32 *at = m->more + place;; at++) {
        place = *at >> PLACE_SHIFT;
        if ((*at & kinds) && places_have(in, place))
            return place;
        if (!(*at & MORE))
            return 0;
    }
}

void printmap_prefetch(const struct printmap *m, u64 print)
{
    if (m->buckets > CACHED_BUCKETS)
        __builtin_prefetch(&m->bucket[home_of(m, print ? print : 1)]);
}
