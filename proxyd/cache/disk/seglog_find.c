#include "cache/disk/log.h"

/* Under its shard's lock: as long as it is in the index, its segment is in the ring. */
static struct segment *take(const struct seglog *l, struct seg_slot *slot, struct seglog_place *out)
{
    struct segment *s = log_segment(l, slot->segment);
    if (s == NULL)
        return NULL;
    atomic_fetch_add_explicit(&s->held, 1, memory_order_relaxed);
    if (slot->uses < SEG_USES)
        slot->uses++;
    *out = (struct seglog_place){ slot->segment, slot->at, slot->n };
    return s;
}

static struct segment *take_at(const struct seglog *l, const struct cache_key *key,
                               const struct seg_slot *at, struct seglog_place *out)
{
    struct seg_slot *there[SEGLOG_VARIANTS];
    struct seg_shard *shard = seg_index_lock(&l->index, key);
    struct segment *s = NULL;
    for (u32 n = seg_shard_slots(shard, key, there); n-- > 0;)
        if (there[n]->segment == at->segment && there[n]->at == at->at)
            s = take(l, there[n], out);
    seg_index_unlock(shard);
    return s;
}

/* The newest of those whose variant is the request's. The names may be given up meanwhile, and
 * their numbers be others' then, but only after what has them was taken out: who takes it looks. */
static const struct seg_slot *choose(const struct seglog *l, const struct seg_slot *slot, u32 n,
                                     seglog_variant *variant, void *ctx)
{
    const struct seg_slot *best = NULL;
    u32 wanted[SEGLOG_VARIANTS];
    for (u32 i = 0; i < n; i++) {
        u32 same = 0;
        while (slot[same].vary != slot[i].vary)
            same++;
        if (slot[i].vary == 0)
            wanted[i] = slot[i].variant;
        else if (same < i)
            wanted[i] = wanted[same];
        else
            wanted[i] = (u32)variant(ctx, vary_names_text(&l->names, slot[i].vary));
        if (slot[i].variant == wanted[i] &&
            (best == NULL ||
             ban_place(slot[i].segment, slot[i].at) > ban_place(best->segment, best->at)))
            best = &slot[i];
    }
    return best;
}

struct segment *seglog_find(struct seglog *l, const struct cache_key *key, seglog_variant *variant,
                            void *ctx, struct seglog_place *out)
{
    struct seg_slot *there[SEGLOG_VARIANTS], copy[SEGLOG_VARIANTS];
    struct seg_shard *shard = seg_index_lock(&l->index, key);
    u32 n = seg_shard_slots(shard, key, there);
    bool simple = n == 0 || (n == 1 && there[0]->vary == 0);
    struct segment *s = n && simple ? take(l, there[0], out) : NULL;
    for (u32 i = 0; i < n && !simple; i++)
        copy[i] = *there[i];
    seg_index_unlock(shard);
    if (simple)
        return s;
    pthread_rwlock_rdlock(&l->names.lock);
    const struct seg_slot *best = choose(l, copy, n, variant, ctx);
    pthread_rwlock_unlock(&l->names.lock);
    return best ? take_at(l, key, best, out) : NULL;
}

u32 seglog_all(struct seglog *l, const struct cache_key *key,
               struct seglog_place out[SEGLOG_VARIANTS])
{
    struct seg_slot *there[SEGLOG_VARIANTS];
    struct seg_shard *shard = seg_index_lock(&l->index, key);
    u32 n = seg_shard_slots(shard, key, there);
    for (u32 i = 0; i < n; i++)
        out[i] = (struct seglog_place){ there[i]->segment, there[i]->at, there[i]->n };
    seg_index_unlock(shard);
    return n;
}

bool seglog_forget(struct seglog *l, const struct cache_key *key, const struct seglog_place *p)
{
    log_gone_add(&l->gone, key);
    return seg_index_forget(&l->index, key, p);
}

u32 seglog_remove(struct seglog *l, const struct cache_key *key)
{
    log_gone_add(&l->gone, key);
    return seg_index_remove(&l->index, key);
}

bool seglog_hides(const struct seglog *l)
{
    return atomic_load(&l->hides);
}

/* The bans first: one that has been applied and forgotten since has left what it says in the index
 * before that. */
enum seglog_standing seglog_standing(struct seglog *l, const struct cache_key *key,
                                     const struct seglog_place *p, struct slice url,
                                     struct slice tags)
{
    struct seg_slot slot;
    enum seglog_standing is = bans_standing(&l->bans, ban_place(p->segment, p->at), url, tags);
    if (is == SEGLOG_BANNED || !atomic_load(&l->have_applied))
        return is;
    if (!seg_index_get(&l->index, key, p, &slot))
        return SEGLOG_BANNED;
    return slot.stale ? SEGLOG_STALE : is;
}

struct seglog_counts seglog_counts(const struct seglog *l)
{
    return (struct seglog_counts){ .objects = atomic_load(&l->index.objects),
                                   .bytes = atomic_load(&l->bytes),
                                   .quota = atomic_load(&l->quota),
                                   .held_bytes = atomic_load(&l->held_bytes),
                                   .segments = atomic_load(&l->segments),
                                   .index_bytes = atomic_load(&l->index.bytes),
                                   .appended_bytes = atomic_load(&l->appended),
                                   .dropped = atomic_load(&l->dropped),
                                   .passed_on = atomic_load(&l->passed_on),
                                   .gone_bad = atomic_load(&l->gone_bad),
                                   .bans = atomic_load(&l->bans.n) };
}
