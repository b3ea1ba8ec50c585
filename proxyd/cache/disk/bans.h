/*
 * Bans in force: whole sets of URLs of which nothing counts that stands before some place in the
 * log. Each has that place, or none yet: then it is about all that there is. Any thread; the place
 * of the newest one is an atomic, so that whatever stands behind all of them asks no lock.
 *
 * The hard thing is that a purge is never to be refused for there being many of them. So they are
 * found by a hash of what they name, one look for each tag of a record and for each length that a
 * prefix has; the log applies them when there are many (log_apply.c); and if that is too slow, the
 * older half of them becomes one that is about everything: too much is taken out then, never too
 * little.
 */
#ifndef CACHE_DISK_BANS_H
#define CACHE_DISK_BANS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "cache/disk/layout.h"

enum {
    BANS_BUCKETS = 1 << 14,
    BANS_BYTES = 16 << 20, /* that they may take, beside their number: SEGLOG_BANS */
    BANS_LENGTHS = BAN_TEXT_MOST + 1
};

struct ban {
    u64 id;
    u64 before; /* segment and at, as in ban_place(); BAN_UNPLACED: not in the log yet */
    enum seglog_ban_kind kind;
    bool soft;
    struct slice text; /* its own */
};
#define BAN_UNPLACED UINT64_MAX

struct ban_kept;

struct bans {
    pthread_rwlock_t lock;
    struct ban_kept *by_what[BANS_BUCKETS], *by_id[BANS_BUCKETS];
    struct list placed, unplaced; /* placed: in the order of their places */
    u64 ids, bytes;
    u32 of_length[BANS_LENGTHS]; /* prefixes of so many bytes, and a bit for each length */
    u64 lengths[BANS_LENGTHS / 64 + 1];
    _Atomic u32 n;
    _Atomic u64 newest; /* no `before` is greater; 0: there is none */
};

/* A place in the log as one number, which grows as the log does. */
static inline u64 ban_place(u32 segment, u32 at)
{
    return (u64)segment << 32 | at;
}

/* Makes an empty set of bans. */
void bans_init(struct bans *b);
/* Frees all of them. */
void bans_end(struct bans *b);
/* One that is the same but for its place takes over the later one, under a new id: whoever still
 * has to say in the log where the earlier one stands would give what came between to the users
 * again. False: no memory, or SEGLOG_BANS are there that have no place, for the disk takes none. */
bool bans_add(struct bans *b, const struct ban *ban, u64 *id);
/* A copy, whose text is the caller's to free; false: it is in force no more. */
bool bans_get(struct bans *b, u64 id, struct ban *out);
/* By one thread, places always later ones. */
void bans_set_place(struct bans *b, u64 id, u64 before);
/* Those whose place is before that one are about nothing any more. */
void bans_forget(struct bans *b, u64 place);
/* Of those that have one; 0: there is none. */
u64 bans_last_place(struct bans *b);
/* What they say of a record that stands at that place: the worst that holds. */
enum seglog_standing bans_standing(struct bans *b, u64 place, struct slice url, struct slice tags);

#endif
