/*
 * Bans in force: whole sets of URLs of which nothing counts that stands before some place in the
 * log. Each has that place, or none yet: then it is about all that there is. Any thread; the place
 * of the newest one is an atomic, so that whatever stands behind all of them asks no lock.
 */
#ifndef CACHE_DISK_BANS_H
#define CACHE_DISK_BANS_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/disk/seglog.h"

struct ban {
    u64 id, before; /* before: segment and at, as in ban_place(); UINT64_MAX: not in the log yet */
    enum seglog_ban_kind kind;
    bool soft;
    struct slice text; /* its own */
};

struct bans {
    pthread_rwlock_t lock;
    struct ban ban[SEGLOG_BANS];
    u32 n;
    u64 ids;
    _Atomic u64 newest; /* no `before` is greater; 0: there is none */
};

static inline u64 ban_place(u32 segment, u32 at)
{
    return (u64)segment << 32 | at;
}

void bans_init(struct bans *b);
void bans_end(struct bans *b);
/* One that is the same but for its place takes over the later one, under a new id: whoever still
 * has to say in the log where the earlier one stands would give what came between to the users
 * again. False: there is no room. */
bool bans_add(struct bans *b, const struct ban *ban, u64 *id);
/* A copy, whose text is the caller's to free; false: it is in force no more. */
bool bans_get(struct bans *b, u64 id, struct ban *out);
void bans_set_place(struct bans *b, u64 id, u64 before);
/* Nothing stands before that segment any more. */
void bans_forget(struct bans *b, u32 oldest);
enum seglog_standing bans_standing(struct bans *b, u64 place, struct slice url, struct slice tags);

#endif
