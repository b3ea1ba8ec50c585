#include "cache/body.h"

#include "base/must.h"
#include "cache/spill.h"
#include "cache/wake.h"

static void nobody_waits(struct body *b)
{
    pthread_mutex_init(&b->lock, NULL);
    list_init(&b->waiting);
    list_init(&b->room);
}

struct body *body_new(struct budget *budget, u64 length)
{
    struct body *b = budget_take(budget, sizeof *b);
    if (b == NULL)
        return NULL;
    *b = (struct body){ .holders = 1, .budget = budget, .size = sizeof *b, .length = length };
    nobody_waits(b);
    return b;
}

/* The piece that lies in the body's own block, of one that has such. */
static struct chunk *own_chunk(struct body *b)
{
    return b->size > sizeof *b ? (struct chunk *)(void *)(b + 1) : NULL;
}

/* Body and bytes in one block: nobody has ever waited for it, and nothing of it leaves alone. */
static struct body *new_small(struct budget *budget, struct slice bytes)
{
    size_t size = sizeof(struct body) + sizeof(struct chunk) + bytes.n;
    struct body *b = budget_take_growing(budget, size, GROW_HALF);
    if (b == NULL)
        return NULL;
    *b = (struct body){ .holders = 1,
                        .budget = budget,
                        .size = (u32)size,
                        .length = bytes.n,
                        .state = BODY_WHOLE,
                        .fixed = true,
                        .have = bytes.n };
    nobody_waits(b);
    b->first = b->last = own_chunk(b);
    chunk_in(b->first, bytes);
    return b;
}

struct body *body_whole(struct budget *budget, struct slice bytes)
{
    if (likely(bytes.n < PAGES_LEAST))
        return new_small(budget, bytes);
    struct body *b = body_new(budget, bytes.n);
    if (b && body_append(b, bytes, bytes.n) < bytes.n) {
        body_put(b);
        return NULL;
    }
    if (b)
        body_end(b, BODY_WHOLE);
    return b;
}

void body_hold(struct body *b)
{
    atomic_fetch_add_explicit(&b->holders, 1, memory_order_relaxed);
}

void body_put(struct body *b)
{
    if (atomic_fetch_sub(&b->holders, 1) != 1)
        return;
    expect(list_empty(&b->waiting) && list_empty(&b->room));
    for (struct chunk *c = b->first, *next; c; c = next) {
        next = c->next;
        if (c != own_chunk(b))
            chunk_free(b->budget, c);
    }
    struct disk *d = b->spills_to;
    spill_end(b);
    pthread_mutex_destroy(&b->lock);
    budget_give(b->budget, b, b->size);
    if (d)
        disk_let(d); /* last: once nobody holds it the cache may end, whose budget that was */
}

/* What is known to come lies in as few pieces as can be, so that it goes out in one call. What
 * goes to the disk lies in parts, and no piece in two of them. */
static u32 room_for(const struct body *b, size_t n)
{
    u64 want = b->length != UINT64_MAX ? b->length - b->have : b->have > n ? b->have : n;
    if (b->length == UINT64_MAX && want < CHUNK_LEAST)
        want = CHUNK_LEAST;
    u64 most = b->spills_to ? SEGLOG_PART - b->have % SEGLOG_PART : CHUNK_MOST;
    if (most > CHUNK_MOST)
        most = CHUNK_MOST;
    return want < most ? (u32)want : (u32)most;
}

static struct chunk *new_chunk(struct body *b, size_t n)
{
    u32 cap = room_for(b, n);
    if (b->spills_to && !spill_may_wait(b, cap))
        return NULL;
    bool stays = b->spills_to == NULL || b->length <= SEGLOG_INLINE;
    struct chunk *c = chunk_new(b->budget, cap, stays, (enum growing)b->grows);
    if (c == NULL)
        return NULL;
    c->at = b->have;
    pthread_mutex_lock(&b->lock);
    if (b->last)
        b->last->next = c;
    else
        b->first = c;
    b->last = c;
    pthread_mutex_unlock(&b->lock);
    return c;
}

/* Into the chunk that has room; how many bytes have gone there: none when there is no memory. */
static size_t put(struct body *b, struct slice run)
{
    struct chunk *c = b->filling;
    size_t n = run.n < c->cap - c->n ? run.n : c->cap - c->n;
    if (!chunk_write(c, (struct slice){ run.p, n })) /* beyond what any reader looks at */
        return 0;
    pthread_mutex_lock(&b->lock);
    c->n += (u32)n;
    b->have += n;
    if (c->n == c->cap)
        b->filling = NULL;
    wake_all(&b->waiting, WAKE_AGAIN);
    pthread_mutex_unlock(&b->lock);
    if (b->spills_to && b->have % SEGLOG_PART == 0 && !b->passes)
        spill_more(b);
    return n;
}

size_t body_append(struct body *b, struct slice run, u64 most)
{
    size_t taken = 0;
    if (run.n > most - b->have)
        run.n = most > b->have ? (size_t)(most - b->have) : 0;
    if (run.n > b->length - b->have)
        run.n = (size_t)(b->length - b->have);
    while (taken < run.n) {
        if (b->filling == NULL && (b->filling = new_chunk(b, run.n - taken)) == NULL)
            break;
        size_t n = put(b, slice_skip(run, taken));
        if (n == 0)
            break;
        taken += n;
    }
    return taken;
}

void body_end(struct body *b, enum body_state how)
{
    pthread_mutex_lock(&b->lock);
    if (how == BODY_WHOLE)
        b->length = b->have;
    atomic_store_explicit(&b->state, (u8)how, memory_order_release);
    if (how == BODY_WHOLE && b->have <= SEGLOG_INLINE)
        spill_leave(b); /* so small a body goes with its head */
    if (how == BODY_WHOLE && !b->passes &&
        (b->spills_to == NULL || (b->disk && b->disk->have == b->have)))
        atomic_store_explicit(&b->fixed, true, memory_order_release);
    wake_all(&b->waiting, WAKE_AGAIN);
    pthread_mutex_unlock(&b->lock);
}

u64 body_have(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    u64 n = b->have;
    pthread_mutex_unlock(&b->lock);
    return n;
}

u64 body_in_memory(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    u64 on_disk = b->disk ? b->disk->have : 0;
    u64 n = b->have - (on_disk > b->gone ? on_disk : b->gone);
    pthread_mutex_unlock(&b->lock);
    return n;
}

u64 body_cost(struct body *b)
{
    u64 cost = b->size + MALLOC_HEAD;
    return own_chunk(b) ? cost : cost + body_in_memory(b) + sizeof(struct chunk) + MALLOC_HEAD;
}

bool body_is_on_disk(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    bool there = b->disk != NULL;
    pthread_mutex_unlock(&b->lock);
    return there;
}
