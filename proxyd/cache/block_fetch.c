#include "cache/block_fetch.h"

#include <stdlib.h>

#include "cache/blocks.h"

static struct block_fetch *fetch_of(struct requester *r)
{
    return container_of(r, struct block_fetch, errand.requester);
}

/* ---- what it hears ---- */

static void tell_reader(const struct block_fetch *f)
{
    if (f->reader)
        xchg_again(f->reader->x);
}

static enum flow take_head(struct requester *r, const struct msg *resp)
{
    struct block_fetch *f = fetch_of(r);
    (void)resp;
    if (f->state == FETCH_PASSES && f->reader)
        f->pipe = malloc(PIPE_BYTES);
    if (f->state == FETCH_PASSES && f->pipe == NULL)
        f->state = FETCH_FAILED;
    tell_reader(f);
    return f->state == FETCH_KEPT || f->state == FETCH_PASSES ? FLOW_OK : FLOW_FAULT;
}

/* What is kept is read from there. */
static enum flow take_bytes(struct requester *r, struct slice run, size_t *taken)
{
    struct block_fetch *f = fetch_of(r);
    *taken = run.n;
    if (f->state == FETCH_KEPT)
        return FLOW_OK;
    if (f->reader == NULL)
        return FLOW_FAULT;
    if (run.n > PIPE_BYTES - f->to)
        *taken = PIPE_BYTES - f->to;
    memcpy(f->pipe + f->to, run.p, *taken);
    f->to += (u32)*taken;
    tell_reader(f);
    return *taken == run.n ? FLOW_OK : FLOW_WAIT;
}

/* For another one to try. */
static void let_flight(struct block_fetch *f)
{
    if (f->flight)
        flight_land(f->flights, &f->flight, WAKE_AGAIN);
}

/* While its configuration still holds the cache. One that was refused has not been looked up; that
 * of a reader holds the cache as well. */
static void closing(struct requester *r)
{
    struct block_fetch *f = fetch_of(r);
    if (f->flight && f->state != FETCH_BROKEN)
        flight_land(f->flights, &f->flight, WAKE_ALONE);
    else if (f->reader == NULL)
        let_flight(f);
    object_put(&f->manifest);
}

static void release(struct block_fetch *f)
{
    free(f->pipe);
    free(f);
}

static void end(struct requester *r, enum fault why)
{
    struct block_fetch *f = fetch_of(r);
    f->over = true;
    if (f->state == FETCH_PASSES && fault_info(why)->whose == FAULT_OF_UPSTREAM)
        f->state = FETCH_BROKEN; /* what is in the pipe comes once more */
    else if (f->state == FETCH_ASKS || (f->state == FETCH_PASSES && why))
        f->state = FETCH_FAILED;
    tell_reader(f);
    if (f->reader == NULL)
        release(f);
}

/* ---- for who reads it ---- */

static bool open(struct blocks *b, struct block_fetch *f)
{
    struct xchg *x = b->x;
    struct arrival a = { .listen = x->listen, .peer = &x->peer, .snap = x->snap };
    struct requester *r = &f->errand.requester;
    if (!internal_open_for(x->worker, &a, text_slice(&b->request), r))
        return false;
    struct xchg *own = r->leg->xchg;
    own->stored = &f->errand;
    own->internal = true;
    if (x->user.p && !xchg_set_user(own, x->user))
        internal_cancel(r);
    return true;
}

struct block_fetch *block_fetch_start(struct blocks *b, u64 number, struct flight **flight)
{
    struct notes *n = notes_of(b->x);
    struct block_fetch *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    *f = (struct block_fetch){ .errand.kind = ERRAND_BLOCK,
                               .errand.requester = { .head = take_head,
                                                     .bytes = take_bytes,
                                                     .closing = closing,
                                                     .end = end },
                               .of = b->manifest,
                               .number = number,
                               .at = number * b->manifest.size,
                               .flights = &n->use->cache->flights,
                               .resumes = b->resumes,
                               .manifest = b->of ? b->of : n->given };
    if (!open(b, f)) {
        free(f);
        return NULL;
    }
    object_hold(f->manifest);
    f->flight = *flight;
    *flight = NULL;
    return f;
}

void block_fetch_leave(struct block_fetch **at)
{
    struct block_fetch *f = *at;
    *at = NULL;
    if (f == NULL)
        return;
    f->reader = NULL;
    if (f->state == FETCH_BROKEN) /* nobody else will: its exchange may be closed, and not over */
        let_flight(f);
    if (f->over)
        release(f);
    else if (f->state == FETCH_PASSES)
        internal_cancel(&f->errand.requester);
}

/* A reader that is slow makes room all the same, or the origin would seem to have stopped. */
static void take(struct block_fetch *f, size_t n)
{
    f->from += (u32)n;
    f->at += n;
    if (f->from < f->to && f->from < PIPE_BYTES / 4)
        return;
    memmove(f->pipe, f->pipe + f->from, f->to - f->from);
    f->to -= f->from;
    f->from = 0;
    if (!f->over)
        internal_more(&f->errand.requester);
}

enum flow block_fetch_peek(struct block_fetch *f, u64 pos, struct slice *run)
{
    u64 before = pos - f->at, have = f->to - f->from;
    if (before && have)
        take(f, (size_t)(before < have ? before : have));
    *run = (struct slice){ f->pipe + f->from, f->to - f->from };
    if (run->n && f->at == pos)
        return FLOW_OK;
    return f->over || f->state == FETCH_FAILED ? FLOW_FAULT : FLOW_WAIT;
}

void block_fetch_took(struct block_fetch *f, size_t n)
{
    take(f, n);
}

/* ---- the exchange itself ---- */

enum lookup block_lookup(struct xchg *x, struct errand *e)
{
    struct notes *n = notes_of(x);
    struct block_fetch *f = container_of(e, struct block_fetch, errand);
    struct byte_range r = block_range(f->of.length, f->of.size, f->number);
    n->flight = f->flight;
    f->flight = NULL;
    n->fetch = f;
    bool same = f->flights == &n->use->cache->flights && cache_key_same(&n->key, &f->manifest->key);
    size_t room = n->key_path.n + BLOCK_PATH;
    struct text name = text_in(arena_try(&x->arena, room), room);
    x->fault = FAULT_NONE;
    if (!same) /* another cache or rule than that of the exchange that has missed it */
        x->fault = FAULT_not_cached;
    else if (name.p == NULL || !blocks_set_range(x, r.from, r.to))
        x->fault = FAULT_out_of_memory;
    if (x->fault)
        return LOOKUP_REFUSED;
    block_turn_to(n, &f->of, f->number, n->key_path, &name);
    return LOOKUP_MISS;
}
