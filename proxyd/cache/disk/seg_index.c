#include "cache/disk/seg_index.h"

#include <stdlib.h>

enum {
    SHARD_QUOTA = 16 << 20, /* so much of the quota has one shard */
    SHARDS_LEAST = 16,
    SHARDS_MOST = 4096,
    CAP_LEAST = 8
};

bool seg_index_init(struct seg_index *ix, u64 quota)
{
    u32 n = SHARDS_LEAST;
    while (n < SHARDS_MOST && (u64)n * SHARD_QUOTA < quota)
        n *= 2;
    *ix = (struct seg_index){ .shard = calloc(n, sizeof *ix->shard), .mask = n - 1 };
    if (ix->shard == NULL)
        return false;
    for (u32 i = 0; i < n; i++)
        pthread_mutex_init(&ix->shard[i].lock, NULL);
    ix->bytes = n * sizeof *ix->shard;
    return true;
}

void seg_index_end(struct seg_index *ix)
{
    for (u32 i = 0; ix->shard && i <= ix->mask; i++) {
        pthread_mutex_destroy(&ix->shard[i].lock);
        free(ix->shard[i].slot);
    }
    free(ix->shard);
    ix->shard = NULL;
}

struct seg_shard *seg_index_lock(const struct seg_index *ix, const struct cache_key *key)
{
    struct seg_shard *s = &ix->shard[key->bits[0] & ix->mask];
    pthread_mutex_lock(&s->lock);
    return s;
}

void seg_index_unlock(struct seg_shard *s)
{
    pthread_mutex_unlock(&s->lock);
}

/* ---- one table, under its lock ---- */

static u32 home_of(u64 tag, u32 cap)
{
    return (u32)((unsigned __int128)tag * cap >> 64);
}

static u32 next(const struct seg_shard *s, u32 i)
{
    return i + 1 == s->cap ? 0 : i + 1;
}

/* How far it stands behind its home. */
static u32 distance(const struct seg_shard *s, u32 i)
{
    u32 home = home_of(s->slot[i].tag, s->cap);
    return i >= home ? i - home : i + s->cap - home;
}

u32 seg_shard_slots(const struct seg_shard *s, const struct cache_key *key,
                    struct seg_slot *out[SEGLOG_VARIANTS])
{
    u32 n = 0;
    if (s->used == 0)
        return 0;
    u64 tag = key->bits[1];
    u32 i = home_of(tag, s->cap);
    for (u32 d = 0; s->slot[i].segment && distance(s, i) >= d; i = next(s, i), d++)
        if (s->slot[i].tag == tag && n < SEGLOG_VARIANTS)
            out[n++] = &s->slot[i];
    return n;
}

/* Does what stands there come before that tag, which would be d behind its home there? Those of one
 * home stand in the order of their tags, so that the order is the same at any size. */
static bool comes_before(const struct seg_shard *s, u32 i, u64 tag, u32 d)
{
    u32 distance_there = distance(s, i);
    return distance_there > d || (distance_there == d && s->slot[i].tag <= tag);
}

/* There is a free slot. */
static void insert(struct seg_shard *s, const struct seg_slot *slot)
{
    struct seg_slot carried = *slot, other;
    u32 i = home_of(slot->tag, s->cap);
    for (u32 d = 0; s->slot[i].segment && comes_before(s, i, slot->tag, d); d++)
        i = next(s, i);
    for (; s->slot[i].segment; i = next(s, i)) {
        other = s->slot[i];
        s->slot[i] = carried;
        carried = other;
    }
    s->slot[i] = carried;
    s->used++;
}

static void take_out(struct seg_shard *s, u32 i)
{
    for (u32 j = next(s, i); s->slot[j].segment && distance(s, j) > 0; i = j, j = next(s, j))
        s->slot[i] = s->slot[j];
    s->slot[i].segment = 0;
    s->used--;
}

/* The first slot with nothing before it that belongs behind it. */
static u32 first_of(const struct seg_shard *s)
{
    u32 i = 0;
    while (s->slot[i].segment && distance(s, i) > 0)
        i++;
    return i;
}

/* All slots into a larger or smaller table: in their order, so most of them just behind the last
 * one. Those for which that is not so, because they had wrapped around, are put in at the end. */
static void copy_slots(const struct seg_shard *from, struct seg_shard *to)
{
    u32 first = first_of(from), i = first, free_from = 0;
    struct seg_slot *left[64];
    u32 nleft = 0, done = 0;
    for (; done < from->cap; done++, i = next(from, i)) {
        struct seg_slot *s = &from->slot[i];
        u32 home = s->segment ? home_of(s->tag, to->cap) : 0;
        u32 at = home > free_from ? home : free_from;
        if (s->segment == 0)
            continue;
        if (i < first || at >= to->cap) {
            if (nleft == countof(left))
                break;
            left[nleft++] = s;
            continue;
        }
        to->slot[at] = *s;
        to->used++;
        free_from = at + 1;
    }
    while (nleft)
        insert(to, left[--nleft]);
    for (; done < from->cap; done++, i = next(from, i))
        if (from->slot[i].segment)
            insert(to, &from->slot[i]);
}

/* Room for n and a sixteenth more, at a load of 0.9. */
static bool resize(struct seg_index *ix, struct seg_shard *s, u32 n)
{
    struct seg_shard to = { .cap = (u32)((u64)(n < CAP_LEAST ? CAP_LEAST : n) * 75 / 64) + 2 };
    to.slot = calloc(to.cap, sizeof *to.slot);
    if (to.slot == NULL)
        return false;
    if (s->used)
        copy_slots(s, &to);
    atomic_fetch_add(&ix->bytes, ((u64)to.cap - s->cap) * sizeof *s->slot);
    free(s->slot);
    s->slot = to.slot;
    s->cap = to.cap;
    return true;
}

static bool room_for_one(struct seg_index *ix, struct seg_shard *s)
{
    u64 most = (u64)s->cap * 29 / 32;
    bool large = s->cap > 4 * CAP_LEAST && s->used < s->cap / 2;
    if (s->used + 1 <= most && !large)
        return true;
    return resize(ix, s, s->used + 1) || s->used + 2 <= s->cap;
}

static struct seg_slot *variant_in(struct seg_slot *const *slot, u32 n, u32 variant)
{
    for (u32 i = 0; i < n; i++)
        if (slot[i]->variant == variant)
            return slot[i];
    return NULL;
}

static bool older(const struct seg_slot *a, const struct seg_slot *b)
{
    return a->segment != b->segment ? a->segment < b->segment : a->at < b->at;
}

static struct seg_slot *at_place(struct seg_shard *s, const struct cache_key *key,
                                 const struct seglog_place *p)
{
    struct seg_slot *have[SEGLOG_VARIANTS];
    u32 n = seg_shard_slots(s, key, have);
    for (u32 i = 0; i < n; i++)
        if (have[i]->segment == p->segment && have[i]->at == p->at)
            return have[i];
    return NULL;
}

/* ---- with it ---- */

static bool put_new(struct seg_index *ix, struct seg_shard *s, const struct seg_slot *slot)
{
    if (!room_for_one(ix, s))
        return false;
    insert(s, slot);
    atomic_fetch_add_explicit(&ix->objects, 1, memory_order_relaxed);
    return true;
}

bool seg_index_put(struct seg_index *ix, const struct cache_key *key, const struct seg_slot *slot)
{
    struct seg_slot *have[SEGLOG_VARIANTS], *old;
    struct seg_shard *s = seg_index_lock(ix, key);
    u32 n = seg_shard_slots(s, key, have);
    bool good = true;
    old = variant_in(have, n, slot->variant);
    if (old == NULL && n == SEGLOG_VARIANTS) {
        old = have[0];
        for (u32 i = 1; i < n; i++)
            old = older(have[i], old) ? have[i] : old;
    }
    if (old)
        *old = *slot;
    else
        good = put_new(ix, s, slot);
    seg_index_unlock(s);
    return good;
}

bool seg_index_add(struct seg_index *ix, const struct cache_key *key, const struct seg_slot *slot)
{
    struct seg_slot *have[SEGLOG_VARIANTS];
    struct seg_shard *s = seg_index_lock(ix, key);
    u32 n = seg_shard_slots(s, key, have);
    bool good = n == SEGLOG_VARIANTS || variant_in(have, n, slot->variant) || put_new(ix, s, slot);
    seg_index_unlock(s);
    return good;
}

bool seg_index_move(struct seg_index *ix, const struct cache_key *key, const struct seg_slot *slot,
                    u32 segment)
{
    struct seg_slot *have[SEGLOG_VARIANTS];
    struct seg_shard *s = seg_index_lock(ix, key);
    u32 n = seg_shard_slots(s, key, have);
    struct seg_slot *old = variant_in(have, n, slot->variant);
    bool good = old && old->segment == segment;
    if (good)
        *old = *slot;
    seg_index_unlock(s);
    return good;
}

bool seg_index_get(const struct seg_index *ix, const struct cache_key *key,
                   const struct seglog_place *p, struct seg_slot *out)
{
    struct seg_shard *s = seg_index_lock(ix, key);
    struct seg_slot *there = at_place(s, key, p);
    if (there)
        *out = *there;
    seg_index_unlock(s);
    return there != NULL;
}

bool seg_index_forget(struct seg_index *ix, const struct cache_key *key,
                      const struct seglog_place *p)
{
    struct seg_shard *s = seg_index_lock(ix, key);
    struct seg_slot *there = at_place(s, key, p);
    if (there) {
        take_out(s, (u32)(there - s->slot));
        atomic_fetch_sub_explicit(&ix->objects, 1, memory_order_relaxed);
    }
    seg_index_unlock(s);
    return there != NULL;
}

void seg_index_make_stale(struct seg_index *ix, const struct cache_key *key,
                          const struct seglog_place *p)
{
    struct seg_shard *s = seg_index_lock(ix, key);
    struct seg_slot *there = at_place(s, key, p);
    if (there)
        there->stale = 1;
    seg_index_unlock(s);
}

u32 seg_index_remove(struct seg_index *ix, const struct cache_key *key)
{
    struct seg_slot *have[SEGLOG_VARIANTS];
    struct seg_shard *s = seg_index_lock(ix, key);
    u32 n = seg_shard_slots(s, key, have);
    for (u32 i = n; i-- > 0 && seg_shard_slots(s, key, have) > 0;)
        take_out(s, (u32)(have[0] - s->slot));
    atomic_fetch_sub_explicit(&ix->objects, n, memory_order_relaxed);
    seg_index_unlock(s);
    return n;
}

/* What is to go of a whole index: all of a segment, or all whose `vary` does not stay. */
struct unwanted {
    u32 segment;
    const bool *stay;
};

static bool is_unwanted(const struct seg_slot *t, const struct unwanted *u)
{
    return t->segment && (u->stay ? !u->stay[t->vary] : t->segment == u->segment);
}

/* Taking one out may move what had wrapped around to where has been looked already. */
static u32 clear_shard(struct seg_shard *s, const struct unwanted *u)
{
    u32 before = s->used, last;
    do {
        last = s->used;
        for (u32 k = s->cap; k-- > 0;)
            while (is_unwanted(&s->slot[k], u))
                take_out(s, k);
    } while (s->used < last);
    return before - s->used;
}

static u32 clear(struct seg_index *ix, const struct unwanted *u)
{
    u32 n = 0;
    for (u32 i = 0; i <= ix->mask; i++) {
        struct seg_shard *s = &ix->shard[i];
        pthread_mutex_lock(&s->lock);
        n += clear_shard(s, u);
        pthread_mutex_unlock(&s->lock);
    }
    atomic_fetch_sub_explicit(&ix->objects, n, memory_order_relaxed);
    return n;
}

u32 seg_index_clear(struct seg_index *ix, u32 segment)
{
    return clear(ix, &(struct unwanted){ .segment = segment });
}

void seg_index_clear_names(struct seg_index *ix, const bool stay[SEGLOG_NAMES])
{
    (void)clear(ix, &(struct unwanted){ .stay = stay });
}

void seg_index_weigh(const struct seg_index *ix, u64 weight[SEGLOG_NAMES])
{
    for (u32 i = 0; i <= ix->mask; i++) {
        struct seg_shard *s = &ix->shard[i];
        pthread_mutex_lock(&s->lock);
        for (u32 k = 0; k < s->cap; k++)
            if (s->slot[k].segment)
                weight[s->slot[k].vary] += 1 + s->slot[k].uses;
        pthread_mutex_unlock(&s->lock);
    }
}

static bool one_more(struct seg_found **found, u32 n, u32 *room)
{
    if (n < *room)
        return true;
    u32 more = *room ? *room * 2 : 256;
    struct seg_found *p = realloc(*found, more * sizeof *p);
    if (p == NULL)
        return false;
    *found = p;
    *room = more;
    return true;
}

struct seg_found *seg_index_of_segment(const struct seg_index *ix, u32 segment, u32 *n)
{
    struct seg_found *found = NULL;
    u32 room = 0;
    *n = 0;
    for (u32 i = 0; i <= ix->mask; i++) {
        struct seg_shard *s = &ix->shard[i];
        pthread_mutex_lock(&s->lock);
        for (u32 k = 0; k < s->cap; k++) {
            const struct seg_slot *t = &s->slot[k];
            if (t->segment == segment && one_more(&found, *n, &room))
                found[(*n)++] =
                    (struct seg_found){ { { i, t->tag } }, { t->segment, t->at, t->n } };
        }
        pthread_mutex_unlock(&s->lock);
    }
    return found;
}
