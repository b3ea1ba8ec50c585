/*
 * Classes by table (addrclass.tbl), which the compiler turns into a chain of compares: about 5 ns.
 *
 * This machine's own addresses are an immutable open-addressing table behind an atomic pointer.
 * Lifetime: a refresh publishes a new table and puts the old one on `retired`; a look-up
 * holds a table for nanoseconds, so what was retired more than RETIRED_MS ago is freed at the next
 * refresh. The last two tables live as long as the process, by design.
 */
#include "filters/addrclass.h"

#include <ifaddrs.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

enum { RETIRED_MS = 60000 };

struct local_set {
    struct local_set *older; /* only while retired */
    u64 retired_ms;
    u32 mask; /* slots - 1, a power of two at least twice the entries */
    struct addr slot[];
};

static _Atomic(const struct local_set *) local;
static struct local_set *retired; /* the refresh under way only, newest first */

static const char *const class_names[CLASS_COUNT] = {
    [CLASS_METADATA] = "metadata",     [CLASS_LOOPBACK] = "loopback",
    [CLASS_LINK_LOCAL] = "link-local", [CLASS_PRIVATE] = "private",
    [CLASS_MULTICAST] = "multicast",   [CLASS_RESERVED] = "reserved",
    [CLASS_PUBLIC] = "public",
};
const char addr_class_names[] = "metadata loopback link-local private multicast reserved public";

static const enum fault class_faults[CLASS_COUNT] = {
    [CLASS_METADATA] = FAULT_destination_metadata,
    [CLASS_LOOPBACK] = FAULT_destination_loopback,
    [CLASS_LINK_LOCAL] = FAULT_destination_link_local,
    [CLASS_PRIVATE] = FAULT_destination_private,
    [CLASS_MULTICAST] = FAULT_destination_multicast,
    [CLASS_RESERVED] = FAULT_destination_reserved,
    [CLASS_PUBLIC] = FAULT_NONE,
};

const char *addr_class_name(enum addr_class c)
{
    return class_names[c];
}

bool addr_class_find(struct slice name, enum addr_class *out)
{
    for (enum addr_class c = 0; c < CLASS_COUNT; c++) {
        if (slice_is(name, class_names[c])) {
            *out = c;
            return true;
        }
    }
    return false;
}

enum fault addr_class_fault(enum addr_class c)
{
    return class_faults[c];
}

/* ---- numbers ---- */

static inline u32 word_at(const u8 *p)
{
    return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static inline u64 long_at(const u8 *p)
{
    return (u64)word_at(p) << 32 | word_at(p + 4);
}

/* ---- this machine ---- */

/* Not keyed: the table is made from the machine's own addresses, at most half full. */
static inline u32 spread(u64 high, u64 low)
{
    return (u32)(((high ^ low * 3) * 0x9e3779b97f4a7c15u) >> 32);
}

static inline u32 home_of(const u8 ip[16])
{
    return spread(long_at(ip), long_at(ip + 8));
}

static inline bool is_local(const u8 ip[16], u8 family)
{
    const struct local_set *set = atomic_load_explicit(&local, memory_order_acquire);
    if (set == NULL)
        return false;
    for (u32 i = home_of(ip) & set->mask; set->slot[i].family; i = (i + 1) & set->mask)
        if (set->slot[i].family == family && memcmp(set->slot[i].ip, ip, 16) == 0)
            return true;
    return false;
}

static void free_retired(u64 now_ms)
{
    struct local_set **at = &retired;
    while (*at && now_ms - (*at)->retired_ms <= RETIRED_MS)
        at = &(*at)->older;
    while (*at) {
        struct local_set *old = *at;
        *at = old->older;
        free(old);
    }
}

bool addrclass_set_local(const struct addr *list, size_t n)
{
    u32 slots = 4;
    while (slots < 2 * n)
        slots *= 2;
    struct local_set *set = calloc(1, sizeof *set + slots * sizeof set->slot[0]);
    if (set == NULL)
        return false;
    set->mask = slots - 1;
    for (size_t k = 0; k < n; k++) {
        u32 i = home_of(list[k].ip) & set->mask;
        while (set->slot[i].family)
            i = (i + 1) & set->mask;
        set->slot[i] = list[k];
    }
    struct clock now;
    clock_read(&now);
    struct local_set *old =
        (struct local_set *)atomic_exchange_explicit(&local, set, memory_order_acq_rel);
    free_retired(clock_ms(&now));
    if (old) {
        old->retired_ms = clock_ms(&now);
        old->older = retired;
        retired = old;
    }
    return true;
}

static bool same_as_published(const struct addr *list, size_t n)
{
    const struct local_set *set = atomic_load_explicit(&local, memory_order_relaxed);
    size_t have = 0;
    for (u32 i = 0; set && i <= set->mask; i++)
        have += set->slot[i].family != 0;
    for (size_t i = 0; i < n; i++)
        if (!is_local(list[i].ip, list[i].family))
            return false;
    return set && have == n;
}

static size_t length(const struct ifaddrs *first)
{
    size_t n = 0;
    for (const struct ifaddrs *i = first; i; i = i->ifa_next)
        n++;
    return n;
}

/* Each address once; how many. */
static size_t collect(const struct ifaddrs *first, struct addr *list)
{
    size_t n = 0;
    for (const struct ifaddrs *i = first; i; i = i->ifa_next) {
        if (i->ifa_addr == NULL)
            continue;
        struct addr a;
        addr_from_sockaddr(&a, i->ifa_addr);
        bool known = a.family == 0;
        for (size_t k = 0; k < n && !known; k++)
            known = addr_same_ip(&list[k], &a);
        if (!known)
            list[n++] = a;
    }
    return n;
}

bool addrclass_refresh_local(void)
{
    struct ifaddrs *first;
    if (getifaddrs(&first) != 0)
        return false;
    struct addr *list = calloc(length(first) + 1, sizeof *list);
    size_t n = list ? collect(first, list) : 0;
    freeifaddrs(first);
    bool done = list && (same_as_published(list, n) || addrclass_set_local(list, n));
    free(list);
    return done;
}

/* ---- classes ---- */

#define QUAD(a, b, c, d) ((u32)(a) << 24 | (u32)(b) << 16 | (u32)(c) << 8 | (u32)(d))

static enum addr_class class4(u32 ip)
{
#define ALONE4(a, b, c, d, class)                                                                  \
    if (ip == QUAD(a, b, c, d))                                                                    \
        return CLASS_##class;
#include "filters/addrclass.tbl"
#undef ALONE4
    u8 text[16] = { (u8)(ip >> 24), (u8)(ip >> 16), (u8)(ip >> 8), (u8)ip };
    if (is_local(text, AF_INET))
        return CLASS_LOOPBACK;
#define FOUR(a, b, c, d, bits, class)                                                              \
    if ((ip ^ QUAD(a, b, c, d)) >> (32 - (bits)) == 0)                                             \
        return CLASS_##class;
#include "filters/addrclass.tbl"
#undef FOUR
    return CLASS_PUBLIC;
}

static inline enum addr_class stricter(enum addr_class a, enum addr_class b)
{
    return a < b ? a : b;
}

/* The IPv4 addresses that an IPv6 address carries; `closed`: of a form that is never public. */
static unsigned carried(u64 high, u64 low, u32 ip[2], bool *closed)
{
    ip[0] = (u32)low;
    *closed = false;
    if (high == 0 && (low >> 32 == 0 || low >> 32 == 0xffff)) /* compatible; mapped, should one */
        return 1;                                             /* have escaped its canonical form */
    if (high == 0x0064ff9b00000000 && low >> 32 == 0)         /* NAT64, RFC 6052 */
        return 1;
    /* Translated, RFC 2765; NAT64 of this network, RFC 8215. */
    *closed = (high == 0 && low >> 32 == 0xffff0000) || high >> 16 == 0x0064ff9b0001;
    if (*closed)
        return 1;
    ip[0] = (u32)(high >> 16);
    if (high >> 48 == 0x2002) /* 6to4, RFC 3056 */
        return 1;
    ip[0] = ~(u32)low;
    ip[1] = (u32)high;
    return high >> 32 == 0x20010000 ? 2 : 0; /* Teredo, RFC 4380: client, inverted, and server */
}

unsigned addr_carried(const struct addr *a, struct addr out[2])
{
    u32 ip[2];
    bool closed;
    unsigned n =
        a->family == AF_INET6 ? carried(long_at(a->ip), long_at(a->ip + 8), ip, &closed) : 0;
    for (unsigned i = 0; i < n; i++)
        out[i] = (struct addr){ .family = AF_INET,
                                .port = a->port,
                                .ip = { (u8)(ip[i] >> 24), (u8)(ip[i] >> 16), (u8)(ip[i] >> 8),
                                        (u8)ip[i] } };
    return n;
}

/* The class of what an IPv6 address carries; CLASS_COUNT when it carries nothing. ::1 and :: never
 * come here. */
static enum addr_class class_inside(u64 high, u64 low)
{
    u32 ip[2];
    bool closed;
    unsigned n = carried(high, low, ip, &closed);
    enum addr_class c = n ? class4(ip[0]) : CLASS_COUNT;
    if (n == 2)
        c = stricter(c, class4(ip[1]));
    return closed ? stricter(c, CLASS_RESERVED) : c;
}

static enum addr_class class6(const struct addr *a)
{
    u64 high = long_at(a->ip), low = long_at(a->ip + 8);
#define ALONE6(h, l, class)                                                                        \
    if (high == (u64)(h) && low == (u64)(l))                                                       \
        return CLASS_##class;
#include "filters/addrclass.tbl"
#undef ALONE6
    if (is_local(a->ip, AF_INET6))
        return CLASS_LOOPBACK;
    enum addr_class inside = class_inside(high, low);
    if (inside != CLASS_COUNT)
        return inside;
#define SIX(h, l, bits, class)                                                                     \
    if ((bits) == 0 || ((high ^ (u64)(h)) >> ((64 - (bits)) & 63)) == 0)                           \
        return CLASS_##class;
#include "filters/addrclass.tbl"
#undef SIX
}

enum addr_class addr_class(const struct addr *a)
{
    if (likely(a->family == AF_INET))
        return class4(word_at(a->ip));
    return a->family == AF_INET6 ? class6(a) : CLASS_RESERVED;
}
