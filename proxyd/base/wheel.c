#include "base/wheel.h"

#include "base/must.h"

/* How many ticks one slot of a level covers: 1, 64, 4096, 262144. */
static inline u64 span(unsigned level)
{
    return 1ull << (6 * level);
}

void wheel_init(struct wheel *w, u64 now_ms)
{
    *w = (struct wheel){ .tick = now_ms / WHEEL_TICK_MS, .next = UINT64_MAX };
    for (unsigned l = 0; l < WHEEL_LEVELS; l++)
        for (unsigned s = 0; s < WHEEL_SLOTS; s++)
            list_init(&w->slot[l][s]);
}

static void unfile(struct wheel *w, struct timer *t)
{
    if (list_empty(&t->link))
        return;
    list_remove(&t->link);
    unsigned level = t->slot / WHEEL_SLOTS, slot = t->slot % WHEEL_SLOTS;
    if (list_empty(&w->slot[level][slot]))
        w->used[level] &= ~(1ull << slot);
}

static void push(struct wheel *w, struct timer *t, u64 at, unsigned level)
{
    unsigned slot = (at >> (6 * level)) % WHEEL_SLOTS;
    t->filed = at;
    t->slot = (u16)(level * WHEEL_SLOTS + slot);
    list_push_back(&w->slot[level][slot], &t->link);
    w->used[level] |= 1ull << slot;
    u64 comes_up = at >> (6 * level) << (6 * level);
    if (comes_up < w->next)
        w->next = comes_up;
}

/* A deadline is never filed at or before the tick that is being handled, so that a callback which
 * re-arms itself for "now" runs on the next turn and not for ever in this one. Rounded up: a timer
 * may be late by a tick, never early. */
static void file_in_place(struct wheel *w, struct timer *t)
{
    u64 at = t->deadline / WHEEL_TICK_MS + (t->deadline % WHEEL_TICK_MS != 0);
    if (at <= w->tick)
        at = w->tick + 1;
    u64 farthest = w->tick + span(WHEEL_LEVELS) - span(WHEEL_LEVELS - 1);
    if (at > farthest)
        at = farthest;
    unsigned level = 0;
    while (level < WHEEL_LEVELS - 1 &&
           (at >> (6 * level)) - (w->tick >> (6 * level)) >= WHEEL_SLOTS)
        level++;
    push(w, t, at, level);
}

/* What is far away waits in the slot of level 1 that comes up next, and is filed in its place only
 * then: most timers are cleared or moved within the quarter of a second until that. */
void timer_file(struct wheel *w, struct timer *t, u64 deadline)
{
    unfile(w, t);
    t->deadline = deadline;
    if (deadline == TIMER_NEVER)
        return;
    if (likely(deadline / WHEEL_TICK_MS > w->tick + 2 * WHEEL_SLOTS))
        push(w, t, (w->tick / WHEEL_SLOTS + 1) * WHEEL_SLOTS, 1);
    else
        file_in_place(w, t);
}

void timer_clear(struct wheel *w, struct timer *t)
{
    unfile(w, t);
    t->deadline = TIMER_NEVER;
}

/* Empties one slot: what is due runs, what is not (moved deadlines, higher levels) is filed
 * anew. */
static void run_slot(struct wheel *w, unsigned level, unsigned slot, u64 now_ms)
{
    struct list due;
    list_init(&due);
    struct list *head = &w->slot[level][slot];
    if (!list_empty(head)) {
        due = *head;
        due.next->prev = &due;
        due.prev->next = &due;
        list_init(head);
    }
    w->used[level] &= ~(1ull << slot);
    struct list *n;
    while ((n = list_pop(&due)) != NULL) {
        struct timer *t = container_of(n, struct timer, link);
        if (t->deadline == TIMER_NEVER)
            continue;
        if (t->deadline > now_ms) {
            file_in_place(w, t);
            continue;
        }
        t->deadline = TIMER_NEVER;
        w->on_expire[t->kind](t);
    }
}

/* The next tick after w->tick at which a slot of `level` comes up; UINT64_MAX when it is empty.
 * Slots of level l > 0 come up when the clock enters their span. */
static u64 next_of_level(const struct wheel *w, unsigned level)
{
    if (w->used[level] == 0)
        return UINT64_MAX;
    u64 position = w->tick >> (6 * level);
    unsigned shift = (unsigned)((position + 1) % WHEEL_SLOTS);
    u64 rotated = shift ? (w->used[level] >> shift) | (w->used[level] << (WHEEL_SLOTS - shift))
                        : w->used[level];
    return (position + 1 + (u64)__builtin_ctzll(rotated)) << (6 * level);
}

static u64 next_tick(const struct wheel *w)
{
    u64 next = UINT64_MAX;
    for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
        u64 t = next_of_level(w, l);
        if (t < next)
            next = t;
    }
    return next;
}

void wheel_run_until(struct wheel *w, u64 now, u64 now_ms)
{
    while ((w->next = next_tick(w)) <= now) {
        u64 next = w->tick = w->next;
        for (unsigned l = WHEEL_LEVELS; l-- > 0;)
            if (next % span(l) == 0)
                run_slot(w, l, (unsigned)((next >> (6 * l)) % WHEEL_SLOTS), now_ms);
    }
}

u32 wheel_wait(const struct wheel *w, u64 now_ms, u32 most)
{
    if (w->next == UINT64_MAX)
        return most;
    u64 at = w->next * WHEEL_TICK_MS;
    if (at <= now_ms)
        return 0;
    return at - now_ms < most ? (u32)(at - now_ms) : most;
}
