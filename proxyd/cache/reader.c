#include "cache/reader.h"

#include "cache/wake.h"
#include "core/exchange/xchg.h"

/* Where `pos` is, among what there is: under the lock while the body grows. */
static struct slice seek(struct reader *r)
{
    if (r->chunk == NULL) {
        r->chunk = r->body->first;
        r->chunk_at = 0;
    }
    while (r->chunk && r->pos - r->chunk_at >= r->chunk->n && r->chunk->next) {
        r->chunk_at += r->chunk->n;
        r->chunk = r->chunk->next;
    }
    if (r->chunk == NULL || r->pos - r->chunk_at >= r->chunk->n)
        return SLICE("");
    u32 at = (u32)(r->pos - r->chunk_at);
    return (struct slice){ r->chunk->bytes + at, r->chunk->n - at };
}

static struct slice look(struct reader *r, enum body_state *state)
{
    struct body *b = r->body;
    *state = (enum body_state)atomic_load_explicit(&b->state, memory_order_acquire);
    if (*state == BODY_WHOLE)
        return seek(r);
    pthread_mutex_lock(&b->lock);
    struct slice run = seek(r);
    *state = (enum body_state)b->state;
    pthread_mutex_unlock(&b->lock);
    return run;
}

static void begin_part(struct reader *r)
{
    r->text = r->part->before;
    if (r->part->from < r->chunk_at)
        r->chunk = NULL; /* parts need not be in order */
    r->pos = r->part->from;
}

/* FLOW_END: the part is over. */
static enum flow peek_part(struct reader *r, struct slice *run)
{
    enum body_state state;
    if (r->pos >= r->part->to)
        return FLOW_END;
    *run = look(r, &state);
    if (run->n > r->part->to - r->pos)
        run->n = (size_t)(r->part->to - r->pos);
    if (run->n)
        return FLOW_OK;
    return state == BODY_GROWING ? FLOW_WAIT : state == BODY_WHOLE ? FLOW_END : FLOW_FAULT;
}

static enum flow peek(void *self, struct slice *run)
{
    struct reader *r = self;
    for (;;) {
        if (r->text.n) {
            *run = r->text;
            return FLOW_OK;
        }
        if (r->part == r->end)
            return FLOW_END;
        enum flow f = peek_part(r, run);
        if (f != FLOW_END)
            return f;
        if (++r->part == r->end)
            r->text = r->after;
        else
            begin_part(r);
    }
}

static void took(void *self, size_t n)
{
    struct reader *r = self;
    if (r->text.n)
        r->text = slice_skip(r->text, n);
    else
        r->pos += n;
}

/* There may be more since peek has looked. */
static enum flow fill(void *self)
{
    struct reader *r = self;
    struct body *b = r->body;
    if (r->x == NULL)
        return FLOW_WAIT;
    if (r->wake == NULL && (r->wake = wake_new(r->x)) == NULL)
        return FLOW_FAULT;
    pthread_mutex_lock(&b->lock);
    bool more = seek(r).n || b->state != BODY_GROWING;
    if (!more)
        wake_wait(r->wake, &b->waiting);
    pthread_mutex_unlock(&b->lock);
    return more ? FLOW_OK : FLOW_WAIT;
}

static void closed(void *self)
{
    struct reader *r = self;
    if (r->wake)
        wake_leave(&r->wake, &r->body->lock);
    atomic_fetch_sub_explicit(&r->body->readers, 1, memory_order_relaxed);
    body_put(r->body);
    r->body = NULL;
}

static const struct source_ops ops = { peek, took, fill, NULL, closed, NULL };

struct source reader_open(struct reader *r, struct body *b, struct xchg *x)
{
    *r = (struct reader){ .body = b, .x = x, .whole.to = UINT64_MAX };
    r->part = &r->whole;
    r->end = r->part + 1;
    body_hold(b);
    atomic_fetch_add_explicit(&b->readers, 1, memory_order_relaxed);
    return (struct source){ &ops, r };
}

void reader_choose(struct reader *r, const struct reader_part *parts, unsigned n,
                   struct slice after)
{
    r->part = parts;
    r->end = parts + n;
    r->after = after;
    begin_part(r);
}
