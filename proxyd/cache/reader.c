#include "cache/reader.h"

#include "cache/wake.h"
#include "cache/window.h"
#include "core/exchange/xchg.h"

/* From here on that one; of a body that may yet give it up it is held. Its filler may wait for
 * that. */
static void go_to(struct reader *r, struct chunk *c)
{
    if (r->holds)
        chunk_let(r->body, r->chunk);
    if (r->body->passes)
        wake_all(&r->body->room, WAKE_AGAIN);
    r->chunk = c;
    r->holds = c && !r->body->fixed;
    if (r->holds)
        c->holders++;
}

/* Where `pos` is, among what there is in memory: under the lock, or when the body is fixed. */
static struct slice seek(struct reader *r)
{
    struct chunk *c = r->chunk;
    if (r->pos < r->body->gone)
        return SLICE("");
    if (c == NULL || c->left || c->at > r->pos) /* parts need not be in order */
        c = r->body->first;
    while (c && r->pos - c->at >= c->n && c->next)
        c = c->next;
    if (c != r->chunk)
        go_to(r, c);
    if (c == NULL || r->pos - c->at >= c->n)
        return SLICE("");
    u32 at = (u32)(r->pos - c->at);
    return (struct slice){ c->bytes + at, c->n - at };
}

/* True: it lies on disk, in *p. Else *run is what is in memory, which may be nothing. As seek. */
static bool find(struct reader *r, struct body_part *p, struct slice *run)
{
    if (spill_find(r->body, r->pos, p)) {
        go_to(r, NULL);
        return true;
    }
    *run = seek(r);
    return false;
}

static bool look(struct reader *r, struct body_part *p, struct slice *run, enum body_state *state)
{
    struct body *b = r->body;
    bool alone = atomic_load_explicit(&b->fixed, memory_order_acquire) && !r->holds;
    if (!alone)
        pthread_mutex_lock(&b->lock);
    bool on_disk = find(r, p, run);
    *state = r->pos < b->gone ? BODY_CUT : (enum body_state)b->state;
    if (!alone)
        pthread_mutex_unlock(&b->lock);
    return on_disk;
}

static void begin_part(struct reader *r)
{
    r->text = r->part->before;
    r->pos = r->part->from;
}

/* FLOW_END: the part is over. */
static enum flow peek_part(struct reader *r, struct slice *run)
{
    enum body_state state;
    struct body_part p;
    enum flow f = FLOW_OK;
    if (r->pos >= r->part->to)
        return FLOW_END;
    if (look(r, &p, run, &state))
        f = reader_disk_peek(r, &p, r->part->to, run);
    else if (run->n == 0)
        f = state == BODY_GROWING ? FLOW_WAIT : state == BODY_WHOLE ? FLOW_END : FLOW_FAULT;
    if (f == FLOW_OK && run->n > r->part->to - r->pos)
        run->n = (size_t)(r->part->to - r->pos);
    return f;
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

/* Less of an answer than that is cheaper as bytes: a call for it alone, and a packet. */
enum { FILE_LEAST = 32 << 10 };

static bool extent(void *self, struct extent *e)
{
    struct reader *r = self;
    struct body_part p;
    struct slice run;
    enum body_state state;
    if (r->text.n || r->part == r->end)
        return false;
    u64 to = r->part->to < r->body->length ? r->part->to : r->body->length;
    if (to < r->pos + FILE_LEAST)
        return false;
    if (look(r, &p, &run, &state))
        return reader_disk_extent(r, &p, to, e);
    if (run.n > to - r->pos)
        run.n = (size_t)(to - r->pos);
    return run.n >= FILE_LEAST && chunk_extent(r->chunk, (u32)(r->pos - r->chunk->at), run.n, e);
}

/* There may be more since peek has looked. */
static enum flow wait_for_more(struct reader *r)
{
    struct body *b = r->body;
    struct body_part p;
    struct slice run;
    if (r->x == NULL || r->fills)
        return FLOW_WAIT;
    if (r->wake == NULL && (r->wake = wake_new(r->x)) == NULL)
        return FLOW_FAULT;
    pthread_mutex_lock(&b->lock);
    bool more = find(r, &p, &run) || run.n || b->state != BODY_GROWING || r->pos < b->gone;
    if (!more)
        wake_wait(r->wake, &b->waiting);
    pthread_mutex_unlock(&b->lock);
    return more ? FLOW_OK : FLOW_WAIT;
}

static enum flow fill(void *self)
{
    struct reader *r = self;
    return reader_disk_waits(&r->disk) ? reader_disk_fill(r) : wait_for_more(r);
}

bool reader_is_last(const struct reader *r)
{
    struct body *b = r->body;
    pthread_mutex_lock(&b->lock);
    bool last = r->chunk == NULL || r->chunk->left || r->chunk == b->first;
    pthread_mutex_unlock(&b->lock);
    return last;
}

static void closed(void *self)
{
    struct reader *r = self;
    struct body *b = r->body;
    if (r->wake)
        wake_leave(&r->wake, &b->lock);
    reader_disk_end(r);
    if (r->holds) {
        pthread_mutex_lock(&b->lock);
        go_to(r, NULL);
        pthread_mutex_unlock(&b->lock);
    }
    if (atomic_fetch_sub(&b->readers, 1) == 1 && atomic_load(&b->resumes))
        body_shed(b); /* whose client goes on holds the object, for its head */
    window_left(b);
    r->body = NULL;
    body_put(b);
}

static const struct source_ops ops = { peek, took, fill, NULL, closed, extent };

struct source reader_source(struct reader *r)
{
    return (struct source){ &ops, r };
}

struct source reader_open(struct reader *r, struct body *b, struct xchg *x)
{
    bool fixed = atomic_load_explicit(&b->fixed, memory_order_acquire); /* its end needs no look */
    set_zero(r, offsetof(struct reader, whole));
    r->body = b;
    r->x = x;
    r->whole = (struct reader_part){ .to = fixed ? b->length : UINT64_MAX };
    r->part = &r->whole;
    r->end = r->part + 1;
    body_hold(b);
    atomic_fetch_add_explicit(&b->readers, 1, memory_order_relaxed);
    return reader_source(r);
}

void reader_choose(struct reader *r, const struct reader_part *parts, unsigned n,
                   struct slice after)
{
    r->part = parts;
    r->end = parts + n;
    r->after = after;
    begin_part(r);
}
