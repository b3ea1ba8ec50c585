/* Prints of names in a printmap, with a mask of the depths that occur, so that most suffixes of a
 * name need no probe. */
#include "filters/hostlist.h"

#include "base/must.h"

static inline u64 depth_bit(unsigned labels)
{
    return (u64)1 << (labels > 64 ? 63 : labels - 1);
}

bool hostlist_add(struct hostlist_builder *b, enum host_kind kind, struct slice host, u32 place,
                  bool removes)
{
    struct host_prints prints;
    host_prints(&prints, host);
    must(prints.n > 0);
    if (!printmap_add(&b->prints, prints.of[prints.n - 1], kind | (removes ? PRINT_REMOVE : 0),
                      place))
        return false;
    b->depths[0] |= kind & HOST_ITSELF ? depth_bit(prints.n) : 0;
    b->depths[1] |= kind & HOST_BELOW ? depth_bit(prints.n) : 0;
    return true;
}

void hostlist_drop(struct hostlist_builder *b)
{
    printmap_drop(&b->prints);
    *b = (struct hostlist_builder){ 0 };
}

bool hostlist_build(struct hostlist *l, struct hostlist_builder *b, const struct sources *s)
{
    *l = (struct hostlist){ .depths = { b->depths[0], b->depths[1] } };
    bool ok = printmap_build(&l->map, &b->prints, s);
    hostlist_drop(b);
    return ok;
}

void hostlist_free(struct hostlist *l)
{
    printmap_free(&l->map);
    *l = (struct hostlist){ 0 };
}

bool hostlist_find(const struct hostlist *l, const struct host_prints *host,
                   const struct places *in, struct hostlist_hit *hit)
{
    if (l->map.entries == 0)
        return false;
    for (unsigned i = 0; i < host->n; i++)
        if (l->depths[i + 1 < host->n] & depth_bit(i + 1))
            printmap_prefetch(&l->map, host->of[i]);
    for (unsigned i = host->n; i-- > 0;) {
        bool below = i + 1 < host->n;
        if (!(l->depths[below] & depth_bit(i + 1)))
            continue;
        u32 kept = printmap_seek(&l->map, host->of[i]);
        u32 place = kept ? printmap_place(&l->map, kept, below ? HOST_BELOW : HOST_ITSELF, in) : 0;
        if (place) {
            *hit = (struct hostlist_hit){ place, (u8)(i + 1), below };
            return true;
        }
    }
    return false;
}
