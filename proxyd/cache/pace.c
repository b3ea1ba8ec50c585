#include "cache/pace.h"

#include "cache/resume.h"
#include "cache/storing.h"
#include "cache/wake.h"
#include "cache/window.h"

void pace_count(struct xchg *x)
{
    struct notes *n = notes_of(x);
    u64 took = n->room_ms ? worker_ms(x->worker) - n->room_ms : 0;
    n->wait_ms -= took < n->wait_ms ? (u32)took : n->wait_ms;
    n->room_ms = 0;
}

void pace_end(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (n->room)
        wake_leave(&n->room, &n->copy->body->lock);
}

/* Of n->wait_ms, which is not over. */
static enum pace wait_and_count(struct xchg *x, u32 most_ms)
{
    struct notes *n = notes_of(x);
    n->room_ms = worker_ms(x->worker);
    x->copy_wait_ms = n->wait_ms < most_ms ? n->wait_ms : most_ms;
    return PACE_WAIT;
}

static enum pace wait_anew(struct xchg *x)
{
    x->copy_wait_ms = PACE_WAIT_MS;
    return PACE_WAIT;
}

/* Once it has, it goes on so. */
static bool has_a_pace(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (n->room)
        return true;
    if (n->blocks || n->fetch) /* a slice is asked for again */
        return false;
    if (resume_could(x) || (n->room = wake_new(x)) == NULL)
        return false;
    n->wait_ms = PACE_WAIT_MS;
    return true;
}

/* It is kept no more. */
static void become_window(struct xchg *x)
{
    struct notes *n = notes_of(x);
    memory_remove(&n->use->cache->memory, n->copy);
    storing_drop(&n->storing);
    x->kept = KEPT_NO_ROOM;
    n->most = UINT64_MAX;
    window_open(n->copy->body);
}

/* Nothing can leave by itself. */
static enum pace in_window(struct xchg *x, bool late)
{
    struct notes *n = notes_of(x);
    struct body *b = n->copy->body;
    if (x->feed && reader_is_last(&n->reader))
        return n->reader.pos < b->have ? wait_anew(x) : PACE_GIVE_UP;
    if (x->feed && n->wait_ms > 0 && !late)
        return wait_and_count(x, PACE_STALL_MS);
    if (!x->feed && (!late || !window_is_waited_for(b)))
        return wait_anew(x);
    return window_cut(b) ? PACE_AGAIN : PACE_GIVE_UP;
}

enum pace pace_of(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct body *b = n->copy->body;
    bool late = x->copy_late && b->passes;
    x->copy_late = false;
    pace_count(x);
    if (atomic_load(&b->readers) < (x->feed ? 2 : 1) || b->have >= n->most || !has_a_pace(x))
        return PACE_GIVE_UP;
    if (!b->passes && n->wait_ms > 0 && body_wait_for_disk(b, n->room))
        return wait_and_count(x, PACE_WAIT_MS);
    if (!b->passes)
        become_window(x);
    return window_move(b, n->room) ? PACE_AGAIN : in_window(x, late);
}
