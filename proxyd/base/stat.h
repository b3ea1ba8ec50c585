/*
 * Counters from stat.tbl, one per fault and one per repair. Each thread that counts owns a block
 * on cache lines of its own and increments it without lock; readers sum over the blocks with
 * relaxed loads.
 */
#ifndef BASE_STAT_H
#define BASE_STAT_H

#include <stdatomic.h>

#include "base/cached.h"
#include "base/fault.h"
#include "base/repair.h"

enum stat_id {
#define STAT(name, type, help) STAT_##name,
#define STAT_OF(id, family, label, value, type, help) STAT_##id,
#include "base/stat.tbl"
#undef STAT
#undef STAT_OF
    STAT_COUNT
};

/* Threads that do the work. A worker's number is one byte of its request ids, and it has one of the
 * blocks; the others are for the few threads that count besides. */
enum { MOST_WORKERS = 128, MOST_STATS = 2 * MOST_WORKERS };

enum stat_type { STAT_COUNTER, STAT_GAUGE };

struct stat_info {
    const char *family;        /* the metric's name */
    const char *label, *value; /* which part of the family; NULL: all of it */
    enum stat_type type;
    const char *help; /* of the family; NULL: the row before belongs to the same one */
};

struct stats {
    _Alignas(CACHE_LINE) _Atomic u64 value[STAT_COUNT];
    _Atomic u64 fault[FAULT_COUNT];
    _Atomic u64 repair[REPAIR_COUNT];
    _Atomic u64 cached[CACHED_COUNT];
    _Atomic u64 kept[KEPT_COUNT];
};

const struct stat_info *stat_info(enum stat_id s);

/* Makes a block known to the sums; at most MOST_STATS, before threads start or under the caller's
 * care. */
void stats_register(struct stats *s);
/* Sums over all registered blocks; any thread. A gauge may be negative for an instant: clamped to
 * 0. */
u64 stat_sum(enum stat_id s);
u64 fault_sum(enum fault f);
u64 repair_sum(enum repair r);
u64 cached_sum(enum cached c);
u64 kept_sum(enum kept k);

/* One thread writes: a plain add, no locked instruction. */
static inline void counter_add(_Atomic u64 *c, u64 n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}
/* The same of a block, for its owner's thread. */
static inline void stat_add(struct stats *s, enum stat_id which, u64 n)
{
    counter_add(&s->value[which], n);
}
static inline void stat_sub(struct stats *s, enum stat_id which, u64 n)
{
    counter_add(&s->value[which], (u64)0 - n);
}
static inline void stat_fault(struct stats *s, enum fault f)
{
    counter_add(&s->fault[f], 1);
}
static inline void stat_repair(struct stats *s, enum repair r)
{
    counter_add(&s->repair[r], 1);
}
static inline void stat_cached(struct stats *s, unsigned c)
{
    counter_add(&s->cached[c], 1);
}
static inline void stat_kept(struct stats *s, unsigned k)
{
    counter_add(&s->kept[k], 1);
}

#endif
