/*
 * How soon origins close idle connections. A request that may not be sent twice must not meet such
 * a close, and cannot know of one that is on its way to us; so the shortest life of an idle
 * connection that was seen lately is remembered for each target, and such a request takes only one
 * that is clearly younger.
 *
 * Shared by all workers and without a lock: a table of fixed size, found by the target's hash, in
 * which a target may push another one out. What is lost so costs one more 502, no more.
 */
#ifndef CORE_IDLE_LIFE_H
#define CORE_IDLE_LIFE_H

#include <stdatomic.h>

#include "base/types.h"

enum { IDLE_LIVES = 1024, IDLE_LIFE_WINDOW_MS = 60000 };
#define IDLE_LIFE_UNKNOWN UINT32_MAX

/* All zero: nothing is known. */
struct idle_lives {
    _Atomic u64 entry[IDLE_LIVES];
};

/* An idle connection to the target with that hash was closed by its origin after `ms`, or after
 * less. */
void idle_life_note(struct idle_lives *l, u64 hash, u64 ms, u64 now_ms);
/* The shortest of the last one to two minutes in ms, or IDLE_LIFE_UNKNOWN. */
u32 idle_life_shortest(const struct idle_lives *l, u64 hash, u64 now_ms);
/* How long an idle connection to it may have rested that a request is put on that may not be sent
 * twice: UINT32_MAX when nothing is known, 0: none will do. The origin's clock has run for a round
 * trip more by the time the request is there. */
u32 idle_life_safe(const struct idle_lives *l, u64 hash, u64 now_ms);

#endif
