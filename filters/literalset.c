/*
 * The hash is of bytes with bit 0x20 set, which makes letters equal whatever their case and costs
 * nothing; the comparison then is exact. Texts of the same rare bytes form a chain.
 */
#include "filters/literalset.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"

enum { GRAM = 4, COUNTS = 1 << 16 };

struct literal {
    u32 text; /* offset in the set's texts */
    u32 place;
    u32 next; /* in the chain: literal + 1; 0: none */
    u16 n;
    u16 gram; /* where in the text its hashed bytes begin */
    u8 caseless, removes, dead;
};

static bool room_for(void **array, size_t *room, size_t wanted, size_t item)
{
    if (wanted <= *room)
        return true;
    size_t more = wanted + wanted / 2 + 64;
    void *p = realloc(*array, more * item);
    if (p == NULL)
        return false;
    *array = p;
    *room = more;
    return true;
}

bool literalset_add(struct literalset *l, struct slice text, bool caseless, u32 place, bool removes)
{
    must(text.n > 0 && text.n <= LITERAL_LONGEST && l->first == NULL);
    void *literal = l->literal, *chars = l->text;
    bool ok = l->nchars + text.n < UINT32_MAX &&
              room_for(&literal, &l->literal_room, l->n + 1, sizeof *l->literal);
    l->literal = literal;
    ok = ok && room_for(&chars, &l->text_room, l->nchars + text.n, 1);
    l->text = chars;
    if (!ok)
        return false;
    l->literal[l->n++] = (struct literal){ .text = (u32)l->nchars,
                                           .place = place,
                                           .n = (u16)text.n,
                                           .caseless = caseless,
                                           .removes = removes };
    for (size_t i = 0; i < text.n; i++)
        l->text[l->nchars++] = caseless ? ascii_lower(text.p[i]) : text.p[i];
    return true;
}

/* ---- building ---- */

static inline u32 gram_of(const char *p, unsigned n)
{
    u32 v = 0;
    if (n == GRAM)
        memcpy(&v, p, GRAM);
    else
        for (unsigned i = 0; i < n; i++)
            v |= (u32)(u8)p[i] << 8 * i;
    return v | 0x20202020;
}

/* Short texts hash elsewhere than long ones that begin as they do. */
static inline u32 hash_of(u32 gram, unsigned n)
{
    return (gram + n) * 0x9e3779b1u;
}

static unsigned gram_size(const struct literal *t)
{
    return t->n < GRAM ? t->n : GRAM;
}

/* Chooses of each text the bytes that the fewest texts have, so that "/ads/1", "/ads/2" … do not
 * all meet at "/ads". */
static void choose_grams(struct literalset *l, u32 *count)
{
    for (u32 i = 0; i < l->n; i++)
        for (u32 at = 0, n = gram_size(&l->literal[i]); at + n <= l->literal[i].n; at++)
            count[hash_of(gram_of(l->text + l->literal[i].text + at, n), n) >> 16]++;
    for (u32 i = 0; i < l->n; i++) {
        struct literal *t = &l->literal[i];
        unsigned n = gram_size(t);
        u32 least = UINT32_MAX;
        for (u16 at = 0; at + n <= t->n; at++) {
            u32 has = count[hash_of(gram_of(l->text + t->text + at, n), n) >> 16];
            if (has < least) {
                least = has;
                t->gram = at;
            }
        }
    }
}

static bool same_text(const struct literalset *l, const struct literal *a, const struct literal *b)
{
    return a->n == b->n && a->caseless == b->caseless &&
           memcmp(l->text + a->text, l->text + b->text, a->n) == 0;
}

static u32 *chain_of(const struct literalset *l, const struct literal *t)
{
    unsigned n = gram_size(t);
    return &l->first[hash_of(gram_of(l->text + t->text + t->gram, n), n) >> l->shift];
}

static void kill_removed(struct literalset *l)
{
    for (u32 i = 0; i < l->n; i++) {
        if (!l->literal[i].removes)
            continue;
        l->literal[i].dead = true;
        for (u32 k = *chain_of(l, &l->literal[i]); k; k = l->literal[k - 1].next)
            if (same_text(l, &l->literal[k - 1], &l->literal[i]))
                l->literal[k - 1].dead = true;
    }
}

bool literalset_build(struct literalset *l)
{
    if (l->n == 0) {
        literalset_free(l);
        return true;
    }
    for (l->shift = 32 - 8; l->shift > 4 && (1u << (32 - l->shift)) < 4 * (u64)l->n; l->shift--)
        ;
    u32 *count = calloc(COUNTS, sizeof *count);
    l->first = calloc((size_t)1 << (32 - l->shift), sizeof *l->first);
    if (count == NULL || l->first == NULL) {
        free(count);
        literalset_free(l);
        return false;
    }
    choose_grams(l, count);
    free(count);
    for (u32 i = l->n; i-- > 0;) { /* backwards: chains are in the order of the lines */
        struct literal *t = &l->literal[i];
        u32 *chain = chain_of(l, t);
        t->next = *chain;
        *chain = i + 1;
        unsigned size = gram_size(t);
        must(size > 0);
        l->sizes |= (u8)(1u << (size - 1));
    }
    kill_removed(l);
    return true;
}

void literalset_free(struct literalset *l)
{
    free(l->literal);
    free(l->text);
    free(l->first);
    *l = (struct literalset){ 0 };
}

size_t literalset_bytes(const struct literalset *l)
{
    return l->literal_room * sizeof *l->literal + l->text_room +
           (l->first ? sizeof *l->first << (32 - l->shift) : 0);
}

/* ---- asking ---- */

static bool equal(const char *text, const char *subject, size_t n, bool caseless)
{
    if (!caseless)
        return memcmp(text, subject, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (text[i] != ascii_lower(subject[i]))
            return false;
    return true;
}

/* Along one chain, for hashed bytes at `at` of the subject. */
static bool compare(const struct literalset *l, u32 chain, struct slice s, size_t at,
                    literal_take *take, void *ctx)
{
    for (u32 k = chain; k; k = l->literal[k - 1].next) {
        const struct literal *t = &l->literal[k - 1];
        if (t->gram > at || (size_t)(t->n - t->gram) > s.n - at || t->dead)
            continue;
        size_t from = at - t->gram;
        if (equal(l->text + t->text, s.p + from, t->n, t->caseless) &&
            take(ctx, (struct literalset_hit){ t->place, t->n, from }))
            return true;
    }
    return false;
}

bool literalset_scan(const struct literalset *l, struct slice subject, literal_take *take,
                     void *ctx)
{
    if (l->first == NULL)
        return false;
    for (size_t at = 0; at < subject.n; at++) {
        for (unsigned n = 1; n <= GRAM && n <= subject.n - at; n++) {
            if (!(l->sizes >> (n - 1) & 1))
                continue;
            u32 chain = l->first[hash_of(gram_of(subject.p + at, n), n) >> l->shift];
            if (unlikely(chain) && compare(l, chain, subject, at, take, ctx))
                return true;
        }
    }
    return false;
}

struct first_hit {
    const struct places *in;
    struct literalset_hit *hit;
};

static bool take_first(void *ctx, struct literalset_hit hit)
{
    struct first_hit *first = ctx;
    if (!places_have(first->in, hit.place))
        return false;
    *first->hit = hit;
    return true;
}

bool literalset_find(const struct literalset *l, struct slice subject, const struct places *in,
                     struct literalset_hit *hit)
{
    struct first_hit first = { in, hit };
    return literalset_scan(l, subject, take_first, &first);
}
