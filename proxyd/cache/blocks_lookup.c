/* A request that may be answered from slices, while it is looked up: beside lookup.c. */
#include "cache/blocks.h"

#include "cache/lookup.h"

static enum lookup ask(struct xchg *x)
{
    if (blocks_ask(x))
        return LOOKUP_MISS;
    x->fault = FAULT_out_of_memory;
    return LOOKUP_REFUSED;
}

enum lookup blocks_miss(struct xchg *x)
{
    if (lookup_waits(x))
        return LOOKUP_PARKED;
    (void)lookup_miss(x, CACHED_MISS, FWD_URI_MISS, KEPT_YES);
    return ask(x);
}

/* The head is known, and the first part of the body that is wanted is not there. */
static enum lookup go_for_block(struct xchg *x, struct object **manifest)
{
    struct notes *n = notes_of(x);
    object_put(&n->blocks->of);
    n->blocks->of = *manifest;
    *manifest = NULL;
    if (n->control.has & CONTROL_ONLY_IF_CACHED)
        return lookup_only_if_cached(x);
    if (lookup_waits(x))
        return LOOKUP_PARKED;
    (void)lookup_miss(x, CACHED_MISS, FWD_PARTIAL, KEPT_YES);
    n->epoch = epoch_of(&n->use->cache->epochs, &n->blocks->url.key);
    return ask(x);
}

static enum lookup give(struct xchg *x, struct object **manifest, enum cached how)
{
    bool joined = how == CACHED_JOINED;
    struct cache_status s = { .collapsed = joined, .detail = SLICE("slices") };
    enum have_block first = blocks_have_first(x);
    bool all = first == BLOCK_HERE && blocks_have_all(x);
    if (first == BLOCK_AWAITED) {
        object_put(manifest);
        return LOOKUP_PARKED;
    }
    bool only = notes_of(x)->control.has & CONTROL_ONLY_IF_CACHED;
    if (first == BLOCK_MISSING || (only && !all))
        return go_for_block(x, manifest);
    s.fwd = joined ? FWD_URI_MISS : all ? FWD_NO : FWD_PARTIAL;
    object_put(&notes_of(x)->blocks->of); /* it may have been another one, when x waited */
    x->server = (*manifest)->server;      /* what judges the answer asks about it */
    return answer_give(x, manifest, how, &s) ? LOOKUP_HIT : LOOKUP_REFUSED;
}

static enum lookup use(struct xchg *x, struct object *o, bool on_disk)
{
    const struct notes *n = notes_of(x);
    struct freshness area;
    if (n->refreshes)
        return lookup_go_for(x, &o);
    switch (freshness_use(object_fresh(o, &area), &n->control, now_s(x), NULL)) {
    case USE_FRESH: return give(x, &o, on_disk ? CACHED_DISK_HIT : lookup_kind(n, o));
    case USE_STALE_ALLOWED: return give(x, &o, CACHED_STALE);
    case USE_WHILE_REVALIDATE: renewal_start(x, o); return give(x, &o, CACHED_STALE);
    default: return lookup_go_for(x, &o);
    }
}

bool blocks_answer(struct xchg *x, struct object **o, bool on_disk, enum lookup *found)
{
    if (!object_is_manifest(*o)) {
        blocks_end(x);
        return false;
    }
    if (!blocks_may(x) || !blocks_plan(x, *o)) {
        object_put(o);
        return false;
    }
    *found = use(x, *o, on_disk);
    return true;
}
