#include "core/common/listen_counts.h"

#include <stdlib.h>

#include "base/must.h"

struct listen_counts *listen_counts_new(u32 nworkers)
{
    struct listen_counts *c = aligned_alloc(CACHE_LINE, nworkers * sizeof *c);
    must(c != NULL);
    memset(c, 0, nworkers * sizeof *c);
    return c;
}

static u64 now(const _Atomic u64 *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

void listen_sums_add(struct listen_sums *to, const struct listen_addr *at, u32 nworkers)
{
    i64 open = 0;
    for (u32 i = 0; at->counts && i < nworkers; i++) {
        const struct listen_counts *c = &at->counts[i];
        open += (i64)now(&c->open);
        to->requests += now(&c->requests);
        to->saved += now(&c->saved);
        for (unsigned k = 0; k < CACHED_COUNT; k++)
            to->cached[k] += now(&c->cached[k]);
    }
    to->open += open > 0 ? (u64)open : 0;
}

u64 listen_sums_asked(const struct listen_sums *s)
{
    u64 n = 0;
    for (unsigned k = CACHED_NOTHING + 1; k < CACHED_COUNT; k++)
        n += s->cached[k];
    return n;
}

u64 listen_sums_hits(const struct listen_sums *s)
{
    u64 n = 0;
    for (unsigned k = 0; k < CACHED_COUNT; k++)
        n += cached_unasked(k) ? s->cached[k] : 0;
    return n;
}
