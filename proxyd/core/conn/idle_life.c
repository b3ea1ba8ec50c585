#include "core/conn/idle_life.h"

/* An entry is one word, so that it is read and written whole: which target (16 bits of its hash),
 * the window in which it was noted last (16), the shortest life in that window and in the one
 * before (16 each, ms; longer lives than 65 s are none that matters). 0: empty. */
enum { NONE = 0xffff, LEAST_MARGIN_MS = 500 };

struct view {
    u16 tag, window, life, before;
};

static u64 pack(struct view v)
{
    return (u64)v.tag << 48 | (u64)v.window << 32 | (u64)v.life << 16 | v.before;
}

/* As it is in the window that is now. */
static struct view look(u64 word, u16 tag, u16 window)
{
    struct view v = { (u16)(word >> 48), (u16)(word >> 32), (u16)(word >> 16), (u16)word };
    if (word == 0 || v.tag != tag || (u16)(window - v.window) > 1)
        return (struct view){ tag, window, NONE, NONE };
    if (v.window != window)
        return (struct view){ tag, window, NONE, v.life };
    return v;
}

static u16 window_of(u64 now_ms)
{
    return (u16)(now_ms / IDLE_LIFE_WINDOW_MS);
}

/* Other bits than those that select the entry, and never 0. */
static u16 tag_of(u64 hash)
{
    return (u16)(hash >> 48 | 1);
}

void idle_life_note(struct idle_lives *l, u64 hash, u64 ms, u64 now_ms)
{
    _Atomic u64 *entry = &l->entry[hash % IDLE_LIVES];
    u64 word = atomic_load_explicit(entry, memory_order_relaxed);
    struct view v = look(word, tag_of(hash), window_of(now_ms));
    if (ms < v.life)
        v.life = (u16)ms;
    atomic_store_explicit(entry, pack(v), memory_order_relaxed);
}

u32 idle_life_shortest(const struct idle_lives *l, u64 hash, u64 now_ms)
{
    u64 word = atomic_load_explicit(&l->entry[hash % IDLE_LIVES], memory_order_relaxed);
    struct view v = look(word, tag_of(hash), window_of(now_ms));
    u16 life = v.life < v.before ? v.life : v.before;
    return life == NONE ? IDLE_LIFE_UNKNOWN : life;
}

u32 idle_life_safe(const struct idle_lives *l, u64 hash, u64 now_ms)
{
    u32 life = idle_life_shortest(l, hash, now_ms), margin = life / 4;
    if (life == IDLE_LIFE_UNKNOWN)
        return UINT32_MAX;
    if (margin < LEAST_MARGIN_MS)
        margin = LEAST_MARGIN_MS;
    return life > margin ? life - margin : 0;
}
