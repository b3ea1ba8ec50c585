#include "cache/disk/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic(struct segment *) *ring_at(const struct seglog *l, u32 number)
{
    return (_Atomic(struct segment *) *)&l->ring[number % LOG_SEGMENTS];
}

struct segment *log_segment(const struct seglog *l, u32 number)
{
    struct segment *s = atomic_load_explicit(ring_at(l, number), memory_order_acquire);
    return s && s->number == number ? s : NULL;
}

void log_enter(struct seglog *l, struct segment *s)
{
    atomic_store_explicit(ring_at(l, s->number), s, memory_order_release);
    if (s->number > atomic_load(&l->newest))
        atomic_store(&l->newest, s->number);
    if (s->number < atomic_load(&l->oldest))
        atomic_store(&l->oldest, s->number);
    atomic_fetch_add(&l->segments, 1);
    atomic_fetch_add(&l->bytes, s->file);
}

struct segment *log_oldest(const struct seglog *l)
{
    u32 newest = atomic_load(&l->newest);
    for (u32 i = atomic_load(&l->oldest); i <= newest; i++) {
        struct segment *s = log_segment(l, i);
        if (s)
            return s == l->open ? NULL : s;
    }
    return NULL;
}

void log_leave(struct seglog *l, struct segment *s)
{
    char *path = folder_segment(&l->folder, s->number);
    pthread_mutex_lock(&l->ring_lock);
    atomic_store_explicit(ring_at(l, s->number), NULL, memory_order_release);
    pthread_mutex_unlock(&l->ring_lock);
    atomic_fetch_sub(&l->segments, 1);
    atomic_fetch_sub(&l->bytes, s->file);
    if (path)
        unlink(path);
    free(path);
    u32 i = atomic_load(&l->oldest), newest = atomic_load(&l->newest);
    while (i <= newest && log_segment(l, i) == NULL)
        i++;
    atomic_store(&l->oldest, i);
    s->next_left = l->left;
    l->left = s;
    atomic_fetch_add(&l->held_bytes, s->file);
    (void)seglog_tidy(l);
}

/* Whoever is slow has his bytes to their end, so they have to have room: what is kept makes it. But
 * not all of it, for then a few who read nothing for hours could empty the disk for all others. */
u64 log_bytes_used(const struct seglog *l)
{
    u64 held = atomic_load(&l->held_bytes), most = atomic_load(&l->quota) / 2;
    return atomic_load(&l->bytes) + (held < most ? held : most);
}

/* Nobody can come to hold one that is out of the ring. */
bool seglog_tidy(struct seglog *l)
{
    struct segment **at = &l->left;
    while (*at) {
        struct segment *s = *at;
        if (atomic_load_explicit(&s->held, memory_order_acquire) > 1) {
            at = &s->next_left;
            continue;
        }
        *at = s->next_left;
        atomic_fetch_sub(&l->held_bytes, s->file);
        segment_let(s);
    }
    return l->left == NULL;
}

bool seglog_settle(struct seglog *l)
{
    u32 n = l->unsettled, end = l->open ? l->open->number : atomic_load(&l->newest) + 1;
    const struct segment *s = NULL;
    while (n && n < end && s == NULL)
        s = log_segment(l, n++); /* NULL: it has left */
    if (s && s->sealed && segment_calls.fdatasync(s->fd) != 0)
        l->lost = errno;
    l->unsettled = n < end ? n : 0;
    return l->unsettled == 0;
}

bool seglog_was_made_again(struct seglog *l)
{
    bool was = l->made_again;
    l->made_again = false;
    return was;
}

bool seglog_is_settled(const struct seglog *l)
{
    return l->unsettled == 0;
}

u32 log_segment_bytes(const struct seglog *l)
{
    u64 n = atomic_load(&l->quota) / 32, least = 2 << 20;
    n = n < least ? least : n;
    return (u32)(n < SEGLOG_SEGMENT ? n : SEGLOG_SEGMENT) / SEGLOG_UNIT * SEGLOG_UNIT;
}

struct segment *seglog_hold(struct seglog *l, u32 segment)
{
    pthread_mutex_lock(&l->ring_lock);
    struct segment *s = log_segment(l, segment);
    if (s)
        atomic_fetch_add_explicit(&s->held, 1, memory_order_relaxed);
    pthread_mutex_unlock(&l->ring_lock);
    return s;
}

void seglog_let(struct segment **s)
{
    if (*s)
        segment_let(*s);
    *s = NULL;
}
