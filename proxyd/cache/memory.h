/*
 * What is kept in memory: an index in shards, found by key and variant, and the order in which it
 * is given up, S3-FIFO (SOSP 2023): what is new goes through a small queue, a tenth of the whole;
 * what was asked for again meanwhile passes on to the main queue, the rest leaves and is
 * remembered by its key alone (the ghosts), so that it goes to the main queue at once when it
 * comes back. A hit writes nothing but a counter of the object, and giving up takes from the ends
 * of the queues.
 *
 * The hard thing is the order of locks: the queues' before a shard's; a hit takes the shard's
 * alone. An index changes under both.
 */
#ifndef CACHE_MEMORY_H
#define CACHE_MEMORY_H

#include "cache/ghosts.h"
#include "cache/index.h"
#include "cache/object.h"
#include "cache/vary.h"

enum { MEMORY_SHARDS = 64 };

struct memory_shard {
    _Alignas(CACHE_LINE) pthread_mutex_t lock; /* guards what follows */
    struct index index;
};

struct memory {
    struct budget budget;
    struct pages pages; /* of the budget */
    struct cache_secret secret;
    struct memory_shard shard[MEMORY_SHARDS];
    pthread_mutex_t lock;    /* guards what follows; before a shard's */
    struct list small, main; /* oldest first */
    u64 small_bytes, main_bytes;
    struct ghosts ghosts;
    _Atomic u64 objects, evictions;
};

/* most: bytes that its objects may take. */
void memory_init(struct memory *m, u64 most);
/* Nobody holds an object of it any more. */
void memory_end(struct memory *m);
/* Another bound, which holds at once. */
void memory_resize(struct memory *m, u64 most);

static inline struct memory_shard *memory_shard(struct memory *m, const struct cache_key *key)
{
    return &m->shard[key->bits[1] % MEMORY_SHARDS];
}

/* memory_find will follow soon. */
static inline __attribute__((always_inline)) void memory_ask(struct memory *m,
                                                             const struct cache_key *key)
{
    index_ask(&memory_shard(m, key)->index, key);
}

/* The one that is for this request, held. NULL: there is none. */
struct object *memory_find(struct memory *m, const struct cache_key *key,
                           const struct msg *request);
/* The newest one of that key, whatever it varies by; held, and not counted as used. */
struct object *memory_peek(struct memory *m, const struct cache_key *key);
/* Kept from now on, in place of one with the same key and variant. One that is still growing is
 * found, but given up only once it is settled. The 17th variant of a key takes the place of the
 * oldest. */
void memory_add(struct memory *m, struct object *o);
/* That and memory_settle in one, of a body that is whole. */
void memory_keep(struct memory *m, struct object *o);
/* As memory_add, if there is none of that key and variant yet; false: there is, and it stays. */
bool memory_add_new(struct memory *m, struct object *o);
/* Is it still found? */
bool memory_has(struct memory *m, const struct object *o);
/* Its body is whole: it may be given up when room is needed. */
void memory_settle(struct memory *m, struct object *o);
/* No more found. False: it was not there. */
bool memory_remove(struct memory *m, struct object *o);
/* All variants of a URL in one space. How many they were; any thread, as of what follows. */
unsigned memory_remove_key(struct memory *m, const struct cache_key *key);
/* Which URLs are meant by a text. */
enum url_match { URL_WHOLE, URL_PREFIX, URL_TAG /* whatever has this tag */ };
/* Those whose URL, as cache_url_write has it, is that one, or begins with it, whatever their
 * space, and the slices of them. They are looked for one by one, with no shard locked for longer
 * than it takes to go through it: not for workers. */
unsigned memory_remove_url(struct memory *m, struct slice url, enum url_match how);
/* They are stale from then on. How many of them were not yet. */
unsigned memory_make_stale(struct memory *m, struct slice url, enum url_match how, u64 now_s);
/* Each of a URL, slices as well, under the shard's lock. */
void memory_each(struct memory *m, struct slice url, void (*each)(void *ctx, struct object *o),
                 void *ctx);

#endif
