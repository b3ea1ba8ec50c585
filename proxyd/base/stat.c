#include "base/stat.h"

#include "base/must.h"

static const struct stat_info table[STAT_COUNT] = {
#define STAT(name, type, help) [STAT_##name] = { #name, NULL, NULL, STAT_##type, help },
#define STAT_OF(id, family, label, value, type, help)                                              \
    [STAT_##id] = { #family, label, value, STAT_##type, help },
#include "base/stat.tbl"
#undef STAT
#undef STAT_OF
};

static struct stats *blocks[MOST_STATS];
static _Atomic unsigned nblocks;

const struct stat_info *stat_info(enum stat_id s)
{
    must((unsigned)s < STAT_COUNT);
    return &table[s];
}

void stats_register(struct stats *s)
{
    unsigned n = atomic_load(&nblocks);
    must(n < MOST_STATS);
    blocks[n] = s;
    atomic_store(&nblocks, n + 1);
}

/* One counter of all threads, `at` bytes into each block. */
static u64 sum_at(size_t at)
{
    u64 sum = 0;
    unsigned n = atomic_load(&nblocks);
    for (unsigned i = 0; i < n; i++)
        sum += atomic_load_explicit((_Atomic u64 *)(void *)((char *)blocks[i] + at),
                                    memory_order_relaxed);
    return sum;
}

u64 stat_sum(enum stat_id which)
{
    u64 sum = sum_at(offsetof(struct stats, value) + which * sizeof(u64));
    return (i64)sum < 0 ? 0 : sum;
}

u64 fault_sum(enum fault f)
{
    return sum_at(offsetof(struct stats, fault) + f * sizeof(u64));
}

u64 repair_sum(enum repair r)
{
    return sum_at(offsetof(struct stats, repair) + r * sizeof(u64));
}

u64 cached_sum(enum cached c)
{
    return sum_at(offsetof(struct stats, cached) + c * sizeof(u64));
}

u64 kept_sum(enum kept k)
{
    return sum_at(offsetof(struct stats, kept) + k * sizeof(u64));
}
