/*
 * Guessing passwords is made slow, not impossible: each wrong one of an address, and each for a
 * name, doubles the time before the next one of either is looked at (a quarter of a second to 8 s
 * for an address, 2 s for a name, so that nobody can lock another out). What is not answered yet
 * counts as wrong meanwhile, or forty at once would be as good as the first; but of an address the
 * first sixteen do not, because many people may come by one.
 *
 * The hard thing is that who guesses chooses the names and may have many addresses. The memory is a
 * table of fixed size; where a set of it is full, the one with the fewest failures is forgotten. So
 * a name under attack is not crowded out by names that were made up, and those share nothing with
 * anybody else.
 */
#ifndef FORWARD_AUTH_DELAY_H
#define FORWARD_AUTH_DELAY_H

#include "base/addr.h"
#include "base/slice.h"

enum { AUTH_DELAY_SETS = 256, AUTH_DELAY_WAYS = 4 };

/* One worker's: addresses, and names. Zero is empty. */
struct auth_delays {
    struct auth_delay {
        u64 key;     /* a keyed hash; 0: nobody */
        u64 last_ms; /* of a failure */
        u64 next_ms; /* before it nothing is looked at */
        u32 count;   /* failures */
        u32 open;    /* not answered yet */
    } of[2][AUTH_DELAY_SETS][AUTH_DELAY_WAYS];
};

/* An address and a name that are tried. */
struct auth_turn {
    u64 key[2];
};

/* An IPv6 client has a whole /64. */
struct auth_turn auth_turn_of(const struct addr *client, struct slice name);
/* When may they be looked at? Not before now_ms. */
u64 auth_turn_at(struct auth_delays *d, const struct auth_turn *t, u64 now_ms);
/* They will be looked at, then or out of turn: the next one of either comes after that. One of the
 * three below has to follow. */
void auth_turn_take(struct auth_delays *d, const struct auth_turn *t, u64 now_ms);
void auth_turn_failed(struct auth_delays *d, const struct auth_turn *t, u64 now_ms);
/* Nobody has looked. */
void auth_turn_dropped(struct auth_delays *d, const struct auth_turn *t, u64 now_ms);
void auth_turn_passed(struct auth_delays *d, const struct auth_turn *t, u64 now_ms);

#endif
