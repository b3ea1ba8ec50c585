#include "cache/window.h"

#include "cache/spill.h"
#include "cache/wake.h"

void window_open(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    atomic_store(&b->passes, true);
    pthread_mutex_unlock(&b->lock);
}

/* Under the lock, as what follows. The last one is being filled, and the writer may read those that
 * are on their way to the disk. */
static bool may_leave(const struct body *b)
{
    const struct body_disk *d = b->disk;
    const struct chunk *c = b->first;
    return c && c->next && !(d && d->part.posted && c->at < d->posted);
}

static void leave(struct body *b)
{
    struct chunk *c = b->first;
    b->first = c->next;
    b->gone = c->next->at;
    c->left = true;
    c->holders++;
    chunk_let(b, c);
}

static u32 readers_in(const struct body *b)
{
    u32 n = 0;
    for (const struct chunk *c = b->first; c; c = c->next)
        n += c->holders;
    return n;
}

bool window_move(struct body *b, struct wake *w)
{
    bool moved = false;
    pthread_mutex_lock(&b->lock);
    bool known = b->lost || readers_in(b) >= atomic_load(&b->readers);
    for (; known && may_leave(b) && b->first->holders == 0; moved = true)
        leave(b);
    if (!moved)
        wake_wait(w, &b->room);
    pthread_mutex_unlock(&b->lock);
    return moved;
}

bool window_cut(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    bool may = may_leave(b);
    if (may) {
        b->lost = true;
        leave(b);
    }
    pthread_mutex_unlock(&b->lock);
    return may;
}

bool window_is_waited_for(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    bool waited_for = !list_empty(&b->waiting);
    pthread_mutex_unlock(&b->lock);
    return waited_for;
}

void window_left(struct body *b)
{
    if (likely(!atomic_load(&b->passes)))
        return;
    pthread_mutex_lock(&b->lock);
    wake_all(&b->room, WAKE_AGAIN);
    pthread_mutex_unlock(&b->lock);
}
