/*
 * A body that is read from one block after the other. An origin that fails in the middle of it is
 * asked again by the one who has asked it, after longer and longer pauses: all others who want that
 * block wait for him.
 */
#include "cache/blocks.h"

#include "cache/from_disk.h"
#include "cache/lookup.h"
#include "cache/purge.h"
#include "cache/resume.h"

enum {
    TRIES_MOST = 4, /* to have a block: somebody has fetched it, or could not */
    PAUSE_MS = 100, /* after the first that has failed */
    PAUSE_GROWS = 3 /* times as long after each further one */
};

static u64 number_at(const struct blocks *b, u64 pos)
{
    return pos / b->manifest.size;
}

/* The end of the block at pos, or of the whole. */
static u64 end_of_block(const struct blocks *b)
{
    return block_range(b->manifest.length, b->manifest.size, number_at(b, b->pos)).to + 1;
}

/* ---- from one block to the next ---- */

/* Who waits for the block at pos looks once more, or is told what has become of it. */
static void land(struct blocks *b, enum wake_reason how)
{
    if (b->flight)
        flight_land(&notes_of(b->x)->use->cache->flights, &b->flight, how);
}

static void open_block(struct blocks *b, struct object **o)
{
    struct notes *n = notes_of(b->x);
    land(b, WAKE_AGAIN);
    b->failed = false;
    u64 from = number_at(b, b->pos) * b->manifest.size;
    u64 to = end_of_block(b) < b->to ? end_of_block(b) : b->to;
    (void)reader_open(&n->reader, (*o)->body, b->x);
    n->reader.fills = *o == n->copy;
    b->part = (struct reader_part){ SLICE(""), b->pos - from, to - from };
    reader_choose(&n->reader, &b->part, 1, SLICE(""));
    if (!b->fetched)
        object_used(*o);
    object_used(b->of ? b->of : n->given);
    object_put(o);
    b->open = true;
}

static void close_block(struct blocks *b)
{
    struct source s = reader_source(&notes_of(b->x)->reader);
    source_close(&s);
    b->open = false;
}

/* All of the block at pos has been read. */
static void end_block(struct blocks *b)
{
    if (b->open)
        close_block(b);
    block_fetch_leave(&b->fetch);
    land(b, WAKE_AGAIN);
    b->alone = b->fetched = b->ahead = b->no_disk = b->failed = false;
    b->own = b->own_ahead;
    b->own_ahead = false;
    b->tries = b->cuts = 0;
}

/* It was not all there. One that goes on has been joined to a fetch, and is told so. */
static void note_fetched(struct blocks *b)
{
    struct xchg *x = b->x;
    b->fetched = true;
    if (!b->resumes &&
        (x->cached == CACHED_HIT || x->cached == CACHED_DISK_HIT || x->cached == CACHED_JOINED))
        x->cached = CACHED_MISS;
}

static enum flow fetch(struct blocks *b)
{
    b->due = false;
    b->fetch = block_fetch_start(b, number_at(b, b->pos), &b->flight);
    land(b, WAKE_ALONE);
    if (b->fetch == NULL)
        return FLOW_FAULT;
    b->fetch->reader = b;
    b->own = true;
    return FLOW_WAIT;
}

static void pause_over(struct role_timer *t)
{
    struct blocks *b = container_of(t, struct blocks, pause);
    b->paused = false;
    xchg_again(b->x);
}

static enum flow fetch_later(struct blocks *b)
{
    struct worker *w = b->x->worker;
    u64 ms = PAUSE_MS;
    for (unsigned i = 2; i < b->tries; i++)
        ms *= PAUSE_GROWS;
    b->failed = false;
    b->paused = b->due = true;
    b->pause.expired = pause_over;
    timer_set(&w->loop.wheel, &b->pause.timer, worker_ms(w) + ms);
    return FLOW_WAIT;
}

/* It is fetched, unless somebody does already; notes.key is its own. */
static enum flow ask_for(struct blocks *b)
{
    struct notes *n = notes_of(b->x);
    struct flights *flights = &n->use->cache->flights;
    if (b->tries++ >= TRIES_MOST || (b->resumes && !resume_lasts(n->given))) {
        land(b, WAKE_CUT);
        return FLOW_FAULT;
    }
    note_fetched(b);
    if (b->flight == NULL && !b->alone && !flight_start(flights, &n->key, now_s(b->x), &b->flight))
        b->waiting = flight_board(flights, &n->key, now_s(b->x), b->x, &b->flight, &n->wake) ==
                     FLIGHT_WAIT; /* it may have landed just now: then the flight is ours */
    b->awaited = n->key;
    if (b->waiting)
        return FLOW_WAIT;
    return b->failed ? fetch_later(b) : fetch(b);
}

/* Of a fetch of ours. OK: look whether the block is there. */
static enum flow hear(struct blocks *b)
{
    switch ((enum fetch_state)b->fetch->state) {
    case FETCH_ASKS: return FLOW_WAIT;
    case FETCH_FAILED: return FLOW_FAULT;
    case FETCH_BROKEN:
        b->flight = b->fetch->flight;
        b->fetch->flight = NULL;
        block_fetch_leave(&b->fetch);
        b->failed = true;
        b->alone = false;
        return FLOW_OK;
    default: block_fetch_leave(&b->fetch); return FLOW_OK;
    }
}

/* WAIT: it is read from the disk. */
static enum flow look(struct blocks *b, struct object **o)
{
    struct notes *n = notes_of(b->x);
    enum from_disk found = DISK_NONE;
    if (n->load)
        found = from_disk_take(b->x, o);
    else if ((*o = block_find(b->x)) != NULL || b->no_disk)
        return FLOW_OK;
    else
        found = from_disk_find(b->x, o);
    if (found == DISK_COLD && from_disk_read(b->x))
        return FLOW_WAIT;
    b->no_disk = *o == NULL; /* it is not there, or nothing that is sound */
    if (*o && !lookup_allowed(b->x, *o))
        object_put(o);
    return FLOW_OK;
}

static enum flow look_or_ask(struct blocks *b)
{
    struct object *o = NULL;
    struct block_name was = blocks_enter(b->x, number_at(b, b->pos));
    enum flow f = look(b, &o);
    if (f == FLOW_OK && o == NULL)
        f = ask_for(b);
    blocks_back(b->x, &was);
    if (o)
        open_block(b, &o);
    return f;
}

static enum flow next_block(struct blocks *b)
{
    const struct notes *n = notes_of(b->x);
    if ((b->waiting && n->wake->arrived == WAKE_NONE) || (n->load && !from_disk_is_read(n->load)) ||
        b->paused)
        return FLOW_WAIT;
    if (b->due)
        return fetch(b);
    bool cut = b->waiting && n->wake->arrived == WAKE_CUT;
    b->alone |= b->waiting && n->wake->arrived == WAKE_ALONE;
    b->waiting = false;
    if (cut)
        return FLOW_FAULT;
    enum flow f = b->fetch ? hear(b) : FLOW_OK;
    if (f != FLOW_OK)
        return f;
    if (b->next == NULL)
        return look_or_ask(b);
    open_block(b, &b->next);
    return FLOW_OK;
}

/* When half of a block has been read the next one is wanted soon; who only looks into a file does
 * not get so far. */
static void fetch_ahead(struct blocks *b)
{
    struct notes *n = notes_of(b->x);
    u64 next = number_at(b, b->pos) + 1;
    struct flight *own = NULL;
    b->ahead = true;
    if (next * b->manifest.size >= b->to || block_is_there(b->x, next))
        return;
    struct block_name was = blocks_enter(b->x, next);
    if (flight_start(&n->use->cache->flights, &n->key, now_s(b->x), &own)) {
        b->own_ahead = block_fetch_start(b, next, &own) != NULL;
        if (own)
            flight_land(&n->use->cache->flights, &own, WAKE_ALONE);
    }
    blocks_back(b->x, &was);
}

/* ---- the source ---- */

static bool is_passing(const struct blocks *b)
{
    return b->fetch && b->fetch->state == FETCH_PASSES && b->fetch->pipe;
}

/* It cannot be read from the disk, or is not what was written there. */
static void forget_bad(struct blocks *b)
{
    struct notes *n = notes_of(b->x);
    struct block_name was = blocks_enter(b->x, number_at(b, b->pos));
    const struct cache_url url = url_of(n);
    (void)purge_url(n->use->cache, &url);
    blocks_back(b->x, &was);
    b->no_disk = true;
}

/* Of a block that is kept. At its end it is closed, so a reader that ends was given less than there
 * has to be: the rest of it is to be had from another one. */
static enum flow peek_kept(struct blocks *b, struct slice *run)
{
    struct reader *r = &notes_of(b->x)->reader;
    struct source s = reader_source(r);
    enum flow f = s.ops->peek(s.self, run);
    if (f == FLOW_OK || f == FLOW_WAIT)
        return f;
    if (atomic_load_explicit(&r->body->bad, memory_order_relaxed))
        forget_bad(b);
    else
        b->failed = true;
    close_block(b);
    return b->cuts++ < TRIES_MOST ? FLOW_WAIT : FLOW_FAULT;
}

static enum flow peek(void *self, struct slice *run)
{
    struct blocks *b = self;
    if (b->pos == b->to)
        return FLOW_END;
    if (b->open)
        return peek_kept(b, run);
    if (!is_passing(b))
        return FLOW_WAIT;
    enum flow f = block_fetch_peek(b->fetch, b->pos, run);
    if (f == FLOW_OK && run->n > b->to - b->pos)
        run->n = (size_t)(b->to - b->pos);
    return f;
}

static void took(void *self, size_t n)
{
    struct blocks *b = self;
    u64 end = end_of_block(b);
    if (b->open) {
        struct source s = reader_source(&notes_of(b->x)->reader);
        s.ops->took(s.self, n);
    } else {
        block_fetch_took(b->fetch, n);
    }
    b->pos += n;
    if (b->own)
        b->x->fetched += n;
    if (b->pos == end)
        end_block(b);
    else if (b->open && !b->ahead && end - b->pos < b->manifest.size / 2)
        fetch_ahead(b);
}

static enum flow fill(void *self)
{
    struct blocks *b = self;
    if (is_passing(b))
        return FLOW_WAIT; /* it says when there is more */
    if (!b->open)
        return next_block(b);
    struct source s = reader_source(&notes_of(b->x)->reader);
    return s.ops->fill(s.self);
}

static void closed(void *self)
{
    struct blocks *b = self;
    struct notes *n = notes_of(b->x);
    end_block(b);
    timer_clear(&b->x->worker->loop.wheel, &b->pause.timer);
    object_put(&b->next);
    from_disk_end(&n->load);
    if (b->waiting)
        flight_leave(&n->use->cache->flights, &b->awaited, &n->wake);
    b->waiting = false;
}

static bool extent(void *self, struct extent *e)
{
    struct blocks *b = self;
    struct source s = reader_source(&notes_of(b->x)->reader);
    return b->open && s.ops->extent && s.ops->extent(s.self, e);
}

static const struct source_ops ops = { peek, took, fill, NULL, closed, extent };

struct source blocks_source(struct blocks *b)
{
    return (struct source){ &ops, b };
}
