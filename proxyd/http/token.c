/*
 * Looking a name up must cost less than reading it again: one multiplication over its first four
 * and last four bytes and its length gives the only row it can be, one compare says whether it is.
 * The hard thing is that no two rows may share a slot; the multiplier that achieves this is
 * searched once before main (some tens of tries for 120 names in 2048 slots), so adding a row needs
 * no generator. After that everything here is read-only.
 */
#include "http/token.h"

#include "base/must.h"
#include "base/str.h"

enum { SLOT_BITS = 11, NAME_MAX_LEN = 32, MULTIPLIER_TRIES = 100000 };

/* `lower` with `fold` or-ed onto a given name are equal exactly when the names are equal but for
 * case: fold is 0x20 at letters and 0 elsewhere, so that no other byte is folded onto a name's. */
struct row {
    _Alignas(CACHE_LINE) char lower[NAME_MAX_LEN];
    char fold[NAME_MAX_LEN];
};

const struct slice token_names[TOKEN_COUNT] = {
    { NULL, 0 },
#define TOKEN(id, name, flags) { name, sizeof(name) - 1 },
#include "http/token.tbl"
#undef TOKEN
};

static const u8 name_flags[TOKEN_COUNT] = {
    0,
#define TOKEN(id, name, flags) flags,
#include "http/token.tbl"
#undef TOKEN
};

static struct row rows[TOKEN_COUNT];
static u8 lengths[TOKEN_COUNT];
static u8 slots[1 << SLOT_BITS];
static u64 multiplier;

static inline u32 load4(const char *p)
{
    u32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline u64 load8(const char *p)
{
    u64 v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* n is at least 1. Short names: first, middle and last byte. */
static inline u64 key_of(const char *p, size_t n)
{
    u64 head, tail;
    if (likely(n >= 4)) {
        head = load4(p);
        tail = load4(p + n - 4);
    } else {
        head = (u8)p[0];
        tail = (u64)(u8)p[n / 2] << 8 | (u8)p[n - 1];
    }
    return (head << 32 | tail | 0x2020202020202020u) ^ n;
}

static inline unsigned slot_of(u64 key, u64 with)
{
    return (unsigned)((key * with) >> (64 - SLOT_BITS));
}

static bool try_multiplier(u64 with)
{
    memset(slots, 0, sizeof slots);
    for (unsigned t = 1; t < TOKEN_COUNT; t++) {
        unsigned slot = slot_of(key_of(token_names[t].p, token_names[t].n), with);
        if (slots[slot])
            return false;
        slots[slot] = (u8)t;
    }
    multiplier = with;
    return true;
}

__attribute__((constructor)) static void build(void)
{
    for (unsigned t = 1; t < TOKEN_COUNT; t++) {
        struct row *r = &rows[t];
        must(token_names[t].n <= NAME_MAX_LEN);
        lengths[t] = (u8)token_names[t].n;
        for (size_t i = 0; i < token_names[t].n; i++) {
            char c = token_names[t].p[i];
            bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            r->fold[i] = letter ? 0x20 : 0;
            r->lower[i] = (char)(c | r->fold[i]);
        }
    }
    u64 with = 0x9E3779B97F4A7C15u;
    for (unsigned i = 0; !try_multiplier(with | 1); i++) {
        must(i < MULTIPLIER_TRIES); /* two rows agree in length, first and last four bytes */
        with = with * 6364136223846793005u + 1442695040888963407u;
    }
}

/* Zero when eight bytes agree. */
static inline u64 diff8(const struct row *r, const char *p, size_t at)
{
    return (load8(p + at) | load8(r->fold + at)) ^ load8(r->lower + at);
}

static inline u32 diff4(const struct row *r, const char *p, size_t at)
{
    return (load4(p + at) | load4(r->fold + at)) ^ load4(r->lower + at);
}

/* Overlapping words from both ends, no loop but for the shortest names: loops of varying length
 * are what a branch predictor gets wrong. */
static inline bool row_is(const struct row *r, const char *p, size_t n)
{
    if (n > 16)
        return (diff8(r, p, 0) | diff8(r, p, 8) | diff8(r, p, n - 16) | diff8(r, p, n - 8)) == 0;
    if (n >= 8)
        return (diff8(r, p, 0) | diff8(r, p, n - 8)) == 0;
    if (n >= 4)
        return (diff4(r, p, 0) | diff4(r, p, n - 4)) == 0;
    for (size_t i = 0; i < n; i++)
        if ((p[i] | r->fold[i]) != r->lower[i])
            return false;
    return true;
}

enum token token_find(struct slice name)
{
    if (unlikely(name.n == 0))
        return TOKEN_OTHER;
    unsigned t = slots[slot_of(key_of(name.p, name.n), multiplier)];
    bool same = lengths[t] == name.n && row_is(&rows[t], name.p, name.n);
    return same ? (enum token)t : TOKEN_OTHER;
}

unsigned token_flags(enum token t)
{
    must((unsigned)t < TOKEN_COUNT);
    return name_flags[t];
}

bool name_is_proxy(struct slice name)
{
    return name.n >= 5 && slice_eq_nocase((struct slice){ name.p, 5 }, SLICE("proxy")) &&
           (name.n == 5 || name.p[5] == '-' || name.p[5] == '_');
}

void token_mask(u64 mask[2], unsigned flags)
{
    mask[0] = mask[1] = 0;
    for (unsigned t = 1; t < TOKEN_COUNT; t++)
        if (name_flags[t] & flags)
            mask[t >> 6] |= 1ull << (t & 63);
}
