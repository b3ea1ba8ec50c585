/* Both families are built as 128-bit numbers; IPv4 is kept in 32. */
#include "filters/netlist.h"

#include <stdlib.h>

#include "base/must.h"

typedef unsigned __int128 u128;

struct net_record {
    u64 high, low;
    u32 place;
    u8 family4, bits, removes;
};

struct net_entry {
    u32 place;
    u32 around; /* the next shorter prefix, as entry + 1; 0: none */
    u8 bits;
};

static u128 value_of(const struct addr *a)
{
    u128 v = 0;
    for (unsigned i = 0; i < (a->family == AF_INET ? 4 : 16); i++)
        v = v << 8 | a->ip[i];
    return v;
}

static u128 first_of(const struct net_record *r)
{
    return (u128)r->high << 64 | r->low;
}

static u128 last_of(const struct net_record *r)
{
    unsigned host = (r->family4 ? 32 : 128) - r->bits;
    return first_of(r) | (host == 128 ? ~(u128)0 : ((u128)1 << host) - 1);
}

bool netlist_add(struct netlist_builder *b, const struct cidr *net, u32 place, bool removes)
{
    must(place > 0 && place <= SOURCE_LAST_PLACE);
    if (b->n == b->room) {
        size_t room = b->room ? b->room + b->room / 2 : 64;
        void *p = realloc(b->record, room * sizeof *b->record);
        if (p == NULL)
            return false;
        b->record = p;
        b->room = room;
    }
    u128 v = value_of(&net->base);
    b->record[b->n++] =
        (struct net_record){ (u64)(v >> 64), (u64)v, place, net->base.family == AF_INET,
                             net->bits,      removes };
    return true;
}

void netlist_drop(struct netlist_builder *b)
{
    free(b->record);
    *b = (struct netlist_builder){ 0 };
}

/* IPv4 first; outer before inner; of the same network what removes it first, then later lines, so
 * that the first line lies uppermost. */
static int in_order(const void *a, const void *b)
{
    const struct net_record *x = a, *y = b;
    if (x->family4 != y->family4)
        return y->family4 - x->family4;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    if (x->bits != y->bits)
        return x->bits - y->bits;
    if (x->removes != y->removes)
        return y->removes - x->removes;
    return (x->place < y->place) - (x->place > y->place);
}

static bool same_net(const struct net_record *x, const struct net_record *y)
{
    return x->family4 == y->family4 && x->high == y->high && x->low == y->low && x->bits == y->bits;
}

/* Without what is removed and what the same file says again; how many stay. */
static size_t squeeze(struct net_record *r, size_t total, const struct sources *s)
{
    size_t to = 0, n;
    for (size_t i = 0; i < total; i += n) {
        for (n = 1; i + n < total && same_net(&r[i + n], &r[i]); n++)
            ;
        for (size_t k = r[i].removes ? n : 0; k < n; k++) {
            const struct net_record *next = k + 1 < n ? &r[i + k + 1] : NULL;
            if (next && sources_file(s, next->place) == sources_file(s, r[i + k].place))
                continue; /* the next one is the earlier line */
            r[to++] = r[i + k];
        }
    }
    return to;
}

struct cut {
    u128 *first;
    u32 *longest;
    size_t n;
};

/* From `first` on this entry is the longest. */
static void cut_at(struct cut *c, u128 first, u32 entry)
{
    if (c->n && c->first[c->n - 1] == first)
        c->n--;
    if (c->n ? c->longest[c->n - 1] == entry : entry == 0)
        return;
    c->first[c->n] = first;
    c->longest[c->n++] = entry;
}

/* Leaves the networks that end before `next`; the entry that is then uppermost. */
static u32 leave(struct cut *c, const struct net_entry *entry, const struct net_record *r, u32 top,
                 u128 next, bool all)
{
    while (top && (all || last_of(&r[top - 1]) < next)) {
        u128 last = last_of(&r[top - 1]);
        bool family_ends = last == (r->family4 ? (u128)UINT32_MAX : ~(u128)0);
        top = entry[top - 1].around;
        if (!family_ends)
            cut_at(c, last + 1, top);
    }
    return top;
}

static void cut_all(struct cut *c, struct net_entry *entry, const struct net_record *r, size_t n)
{
    u32 top = 0;
    for (size_t i = 0; i < n; i++) {
        top = leave(c, entry, r, top, first_of(&r[i]), false);
        entry[i] = (struct net_entry){ r[i].place, top, r[i].bits };
        top = (u32)i + 1;
        cut_at(c, first_of(&r[i]), top);
    }
    leave(c, entry, r, top, 0, true);
}

/* The first n numbers in 32 bits each, at the front of the same memory. */
static void narrow(u128 *wide, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        u32 v = (u32)wide[i];
        memcpy((char *)wide + i * sizeof v, &v, sizeof v);
    }
}

static void *fitted(void *p, size_t bytes)
{
    void *less = bytes ? realloc(p, bytes) : NULL;
    return less ? less : p;
}

static bool build_family(struct net_ranges *out, const struct net_record *r, size_t n)
{
    if (n == 0)
        return true;
    struct cut c = { malloc((2 * n + 1) * sizeof *c.first), malloc((2 * n + 1) * sizeof *c.longest),
                     0 };
    struct net_entry *entry = malloc(n * sizeof *entry);
    *out = (struct net_ranges){ c.first, c.longest, 0, entry, 0 };
    if (!c.first || !c.longest || !entry)
        return false;
    cut_all(&c, entry, r, n);
    if (r->family4)
        narrow(c.first, c.n);
    out->first = fitted(c.first, c.n * (r->family4 ? sizeof(u32) : sizeof(u128)));
    out->longest = fitted(c.longest, c.n * sizeof *c.longest);
    out->n = c.n;
    out->entries = n;
    return true;
}

bool netlist_build(struct netlist *l, struct netlist_builder *b, const struct sources *s)
{
    *l = (struct netlist){ 0 };
    if (b->n)
        qsort(b->record, b->n, sizeof *b->record, in_order);
    size_t n = squeeze(b->record, b->n, s), n4 = 0;
    while (n4 < n && b->record[n4].family4)
        n4++;
    bool ok = n < UINT32_MAX && build_family(&l->of4, b->record, n4) &&
              build_family(&l->of6, n > n4 ? b->record + n4 : NULL, n - n4);
    if (!ok)
        netlist_free(l);
    netlist_drop(b);
    return ok;
}

void netlist_free(struct netlist *l)
{
    struct net_ranges *both[] = { &l->of4, &l->of6 };
    for (unsigned i = 0; i < countof(both); i++) {
        free(both[i]->first);
        free(both[i]->longest);
        free(both[i]->entry);
    }
    *l = (struct netlist){ 0 };
}

size_t netlist_bytes(const struct netlist *l)
{
    return l->of4.n * 2 * sizeof(u32) + l->of6.n * (sizeof(u128) + sizeof(u32)) +
           netlist_entries(l) * sizeof(struct net_entry);
}

/* The last range that begins at or below v; -1: none. */
#define LAST_FROM(type, ranges, v, found)                                                          \
    do {                                                                                           \
        const type *first = (ranges)->first;                                                       \
        size_t low = 0, high = (ranges)->n;                                                        \
        while (low < high) {                                                                       \
            size_t middle = (low + high) / 2;                                                      \
            if (first[middle] <= (v))                                                              \
                low = middle + 1;                                                                  \
            else                                                                                   \
                high = middle;                                                                     \
        }                                                                                          \
        (found) = low;                                                                             \
    } while (0)

bool netlist_find(const struct netlist *l, const struct addr *a, const struct places *in,
                  struct netlist_hit *hit)
{
    const struct net_ranges *r = a->family == AF_INET ? &l->of4 : &l->of6;
    if (r->n == 0 || (a->family != AF_INET && a->family != AF_INET6))
        return false;
    u128 v = value_of(a);
    size_t behind;
    if (a->family == AF_INET)
        LAST_FROM(u32, r, (u32)v, behind);
    else
        LAST_FROM(u128, r, v, behind);
    for (u32 e = behind ? r->longest[behind - 1] : 0; e; e = r->entry[e - 1].around) {
        const struct net_entry *entry = &r->entry[e - 1];
        if (places_have(in, entry->place)) {
            *hit = (struct netlist_hit){ entry->place, entry->bits };
            return true;
        }
    }
    return false;
}
