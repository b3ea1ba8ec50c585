/*
 * The index of a log: for each record that can be found 32 bytes, at most 37.5 with what is free.
 * Shards, each a table with its lock; in a table, a slot stands at the place that its tag means, or
 * behind it (linear probing, ordered by that place: "robin hood", so that a search ends early even
 * at a load of 0.9). One thread puts in and grows, any may search and take out.
 *
 * The hard thing is that bytes per object are bounded at any number of them: a table grows by a
 * sixteenth, so most of that price would be copying, were it not that the order of slots stays the
 * same: the next table is written from front to end (16,000 slots in 50 microseconds).
 */
#ifndef CACHE_DISK_SEG_INDEX_H
#define CACHE_DISK_SEG_INDEX_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/disk/seglog.h"

struct seg_slot {
    u64 tag;            /* the second half of the key; the first one says which shard */
    u32 segment, at, n; /* its place; segment 0: the slot is free */
    u32 until, variant; /* until: seconds since 1970, UINT32_MAX: later; variant: its low half */
    u16 vary;           /* of vary_names */
    u8 uses, stale;     /* uses: 0 to SEG_USES; stale: 1: a ban said so */
};
enum { SEG_USES = 3 };

struct seg_shard {
    pthread_mutex_t lock;
    struct seg_slot *slot;
    u32 cap, used;
};

struct seg_index {
    struct seg_shard *shard;
    u32 mask;
    _Atomic u64 objects, bytes;
};

/* As many shards as suit that quota. False: no memory. */
bool seg_index_init(struct seg_index *ix, u64 quota);
void seg_index_end(struct seg_index *ix);

/* For what looks at slots itself. The slots of a key, SEGLOG_VARIANTS at most, are valid, and may
 * be written but for tag and segment, until it is unlocked. */
struct seg_shard *seg_index_lock(const struct seg_index *ix, const struct cache_key *key);
void seg_index_unlock(struct seg_shard *s);
u32 seg_shard_slots(const struct seg_shard *s, const struct cache_key *key,
                    struct seg_slot *out[SEGLOG_VARIANTS]);

/* In place of its variant, or of the oldest when there are too many of them. False: no memory. */
bool seg_index_put(struct seg_index *ix, const struct cache_key *key, const struct seg_slot *slot);
/* Only if there is none of its variant, nor too many. False: no memory. */
bool seg_index_add(struct seg_index *ix, const struct cache_key *key, const struct seg_slot *slot);
/* Only in place of its variant in that segment. */
bool seg_index_move(struct seg_index *ix, const struct cache_key *key, const struct seg_slot *slot,
                    u32 segment);
/* What stands there; a copy of it. */
bool seg_index_get(const struct seg_index *ix, const struct cache_key *key,
                   const struct seglog_place *p, struct seg_slot *out);
/* Takes out what stands there. False: nothing does. */
bool seg_index_forget(struct seg_index *ix, const struct cache_key *key,
                      const struct seglog_place *p);
/* Notes that what stands there, if anything, is to be validated. */
void seg_index_make_stale(struct seg_index *ix, const struct cache_key *key,
                          const struct seglog_place *p);
/* All variants; how many there were. */
u32 seg_index_remove(struct seg_index *ix, const struct cache_key *key);

struct seg_found {
    struct cache_key key;
    struct seglog_place place;
};
/* The n slots of a segment, for the caller to free; NULL: there is none, or no memory. All of the
 * index is looked at, so it is for a segment that has lost its list, and for tests. The keys are
 * made of what is known of them, which is as good for every function here. */
struct seg_found *seg_index_of_segment(const struct seg_index *ix, u32 segment, u32 *n);
/* Takes all of a segment out; how many there were. */
u32 seg_index_clear(struct seg_index *ix, u32 segment);
/* How much each `vary` is worth: for each slot that has it one, and its uses. */
void seg_index_weigh(const struct seg_index *ix, u64 weight[SEGLOG_NAMES]);
/* Takes out all whose `vary` does not stay. */
void seg_index_clear_names(struct seg_index *ix, const bool stay[SEGLOG_NAMES]);

#endif
