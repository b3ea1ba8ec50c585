/* A walk over sorted ranges: rules name a handful of ports, and 8 kB of bitmap per rule would cost
 * a cache miss where this costs 2 ns. */
#include "filters/portset.h"

#include <stdlib.h>

static int by_first(const void *a, const void *b)
{
    const struct port_range *x = a, *y = b;
    return (int)x->first - (int)y->first;
}

void portset_build(struct portset *s, struct arena *a, const struct port_range *list, size_t n)
{
    struct port_range *range = arena_alloc(a, n * sizeof *range);
    if (n)
        memcpy(range, list, n * sizeof *range);
    qsort(range, n, sizeof *range, by_first);
    u32 kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && range[i].first <= range[kept - 1].last + 1) {
            if (range[i].last > range[kept - 1].last)
                range[kept - 1].last = range[i].last;
        } else {
            range[kept++] = range[i];
        }
    }
    *s = (struct portset){ range, kept };
}

void portset_any(struct portset *s, struct arena *a)
{
    portset_build(s, a, &(struct port_range){ 0, 65535 }, 1);
}
