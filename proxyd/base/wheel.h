/*
 * Hierarchical timer wheel: 4 levels of 64 slots with a 4 ms tick (0.25 s, 16 s, 17 min, 18 h).
 * Arm and disarm are O(1); the next expiry comes from one bitmap per level.
 *
 * The hard thing is cost per exchange. A node keeps the tick it is filed under and, apart from it,
 * the deadline that counts. Moving a deadline further away is one store (timer_set on an armed
 * node); when the node fires early it re-files itself. Only a nearer deadline moves the node.
 * Deadlines beyond 18 h are filed at the far end and re-filed on firing in the same way. So is what
 * is new and far away: it waits in the next slot of a quarter second, where most never see the end.
 *
 * One wheel belongs to one thread. A node is its owner's memory and must be cleared before that
 * dies. A callback may set, clear or free its own node and any other.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/list.h"

enum { WHEEL_TICK_MS = 4, WHEEL_LEVELS = 4, WHEEL_SLOTS = 64 };
#define TIMER_NEVER UINT64_MAX

struct timer {
    struct list link;
    u64 deadline; /* ms on the monotonic clock; TIMER_NEVER: armed for nothing */
    u64 filed;    /* tick under which it is filed; valid while linked */
    u16 slot;     /* level × 64 + slot, for the bitmap */
    u8 kind;      /* the owner's business: tells its callback which timer this is */
};

struct wheel {
    u64 tick; /* ticks handled so far */
    u64 next; /* no slot comes up before this tick; UINT64_MAX: none at all. It is found anew only
               * when it has come, so one wake-up may be for a timer that was cleared meanwhile. */
    u64 used[WHEEL_LEVELS];
    struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
    void (*on_expire[10])(struct timer *); /* by timer.kind */
};

void wheel_init(struct wheel *w, u64 now_ms);
static inline void timer_init(struct timer *t, u8 kind)
{
    list_init(&t->link);
    t->deadline = TIMER_NEVER;
    t->kind = kind;
}
static inline bool timer_armed(const struct timer *t)
{
    return t->link.next != &t->link && t->deadline != TIMER_NEVER;
}
/* Files or re-files t for deadline. */
void timer_file(struct wheel *w, struct timer *t, u64 deadline);

/* Sets the deadline in ms. Later than it is filed: one store. */
static inline void timer_set(struct wheel *w, struct timer *t, u64 deadline)
{
    if (likely(!list_empty(&t->link) && deadline / WHEEL_TICK_MS >= t->filed)) {
        t->deadline = deadline;
        return;
    }
    timer_file(w, t, deadline);
}
/* No deadline any more, but the node may stay filed: one store. The owner must outlive it or call
 * timer_clear. */
static inline void timer_rest(struct timer *t)
{
    t->deadline = TIMER_NEVER;
}
/* Out of the wheel altogether; must be called before the owner's memory goes. */
void timer_clear(struct wheel *w, struct timer *t);

/* Runs what comes up until the tick `now`, of which there is something: wheel_run. */
void wheel_run_until(struct wheel *w, u64 now, u64 now_ms);
/* Runs what is due at now_ms. */
static inline void wheel_run(struct wheel *w, u64 now_ms)
{
    u64 now = now_ms / WHEEL_TICK_MS;
    if (unlikely(w->next <= now))
        wheel_run_until(w, now, now_ms);
    if (now > w->tick)
        w->tick = now;
}
/* Milliseconds from now_ms until something may be due, at most `most`. */
u32 wheel_wait(const struct wheel *w, u64 now_ms, u32 most);

#endif
