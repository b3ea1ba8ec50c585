/*
 * Bodies over HTTP/1 (RFC 9112 sections 6 and 7), the same on both sides. What is written small is
 * copied behind what is waiting, so that head and body go in one call; large runs go from where
 * they are.
 */
#include "base/arena.h"
#include "base/must.h"
#include "core/codec/h1.h"
#include "http/h1_write.h"

/* Up to here a copy is cheaper than a second iovec and a second buffer's cache lines. */
enum { COPY_MOST = 4000 };

void h1_expect_body(struct leg *l, enum body_kind kind, u64 length)
{
    if (kind == BODY_STREAMED)
        memset(&l->h1.in, 0, sizeof l->h1.in);
    l->h1.in.kind = (u8)kind;
    l->h1.in.left = l->h1.in.length = length;
    l->in_done = kind == BODY_NONE || (kind == BODY_LENGTH && length == 0);
    l->fault = FAULT_NONE;
    l->trailers = NULL;
}

void h1_announce_body(struct leg *l, enum body_kind kind, u64 length)
{
    l->h1.out = (struct body_out){ .left = kind == BODY_LENGTH ? length : 0, .kind = (u8)kind };
    l->out_done = false;
}

static enum flow broken(struct leg *l, enum fault f)
{
    l->fault = (u16)f;
    return FLOW_FAULT;
}

static enum flow is_whole(struct leg *l, enum flow f)
{
    l->in_done = true;
    return f;
}

static enum flow read_trailers(struct leg *l)
{
    struct conn *c = conn_of(l);
    enum fault f = FAULT_NONE;
    if (c->in == NULL || buf_len(c->in) == 0)
        return FLOW_WAIT;
    struct slice live = buf_live(c->in);
    if (live.n >= 2 && live.p[0] == '\r' && live.p[1] == '\n') { /* no trailers: nearly always */
        c->in->from += 2;
        return is_whole(l, FLOW_END);
    }
    if (live.n < 2 && live.p[0] == '\r')
        return FLOW_WAIT;
    struct head_limits limits = h1_head_limits(l->snap);
    u32 n = l->h1.response
                ? head_scan_answer(&l->h1.in.scan, live.p, (u32)live.n, &limits, false, &f)
                : head_scan(&l->h1.in.scan, live.p, (u32)live.n, &limits, &f);
    if (f != FAULT_NONE)
        return broken(l, FAULT_bad_trailer);
    if (n == 0)
        return FLOW_WAIT;
    struct msg *m = arena_alloc(l->arena, sizeof *m);
    msg_init(m, l->arena);
    f = trailer_parse(m, live.p, n, &limits, l->h1.response);
    if (f != FAULT_NONE)
        return broken(l, f);
    c->in->from += n;
    l->repairs |= m->repairs;
    l->trailers = m->nfields ? m : NULL;
    return is_whole(l, FLOW_END);
}

static enum flow chunks_over(struct leg *l)
{
    if (unlikely(l->h1.in.chunk.blanks))
        l->repairs |= repair_bit(REPAIR_chunk_blanks);
    l->h1.in.phase = BODY_TRAILERS;
    return read_trailers(l);
}

static enum flow next_chunk(struct leg *l, struct slice *run)
{
    if (l->h1.in.phase == BODY_TRAILERS)
        return read_trailers(l);
    struct conn *c = conn_of(l);
    if (c->in == NULL)
        return FLOW_WAIT;
    struct slice live = buf_live(c->in);
    size_t used = 0;
    l->h1.in.chunk.answer = l->h1.response;
    enum chunk_result r = chunk_decode(&l->h1.in.chunk, live.p, live.n, &used, run);
    c->in->from += (u32)used;
    switch (r) {
    case CHUNK_DATA: return FLOW_OK;
    case CHUNK_LAST: return chunks_over(l);
    case CHUNK_BAD: return broken(l, FAULT_bad_chunk);
    case CHUNK_MORE: break;
    }
    return FLOW_WAIT;
}

enum flow h1_peek(void *self, struct slice *run)
{
    struct leg *l = self;
    if (l->in_done)
        return FLOW_END;
    if (l->h1.in.kind == BODY_STREAMED)
        return next_chunk(l, run);
    const struct buf *in = conn_of(l)->in;
    if (in == NULL || buf_len(in) == 0)
        return FLOW_WAIT;
    *run = buf_live(in);
    if (l->h1.in.kind == BODY_LENGTH && run->n > l->h1.in.left)
        run->n = l->h1.in.left;
    return FLOW_OK;
}

void h1_took(void *self, size_t n)
{
    struct leg *l = self;
    conn_of(l)->in->from += (u32)n;
    l->taken += n;
    if (l->h1.in.kind == BODY_STREAMED) {
        chunk_took(&l->h1.in.chunk, n);
    } else if (l->h1.in.kind == BODY_LENGTH) {
        l->h1.in.left -= n;
        if (l->h1.in.left == 0)
            l->in_done = true;
    }
}

/* After a failed write the kernel reports a reset no more: an end of the stream is read in its
 * place. */
static enum flow ended(struct leg *l)
{
    const struct conn *c = conn_of(l);
    l->gone |= c->read_failed;
    if (c->read_failed || c->write_failed || l->h1.in.kind != BODY_UNTIL_CLOSE)
        return broken(l, FAULT_NONE);
    return is_whole(l, FLOW_OK);
}

enum flow h1_fill(void *self)
{
    struct leg *l = self;
    if (conn_of(l)->eof || conn_of(l)->read_failed)
        return ended(l);
    return h1_read(l) ? FLOW_OK : FLOW_WAIT;
}

const struct msg *h1_trailers(void *self)
{
    return ((const struct leg *)self)->trailers;
}

/* What has gone out, and whether anything waits. */
static void note_out(struct leg *l)
{
    const struct conn *c = conn_of(l);
    l->bytes_out = c->bytes_out - l->h1.base_out;
    l->unsent = c->out != NULL;
}

bool h1_room(struct leg *l, size_t n, struct text *t)
{
    if (likely(conn_room(conn_of(l), n, t))) {
        l->memory = false;
        return true;
    }
    l->memory = conn_of(l)->awaits_memory;
    note_out(l);
    return false;
}

static enum flow flow_of(enum sock_result r)
{
    return r == SOCK_OK ? FLOW_OK : r == SOCK_AGAIN ? FLOW_WAIT : FLOW_FAULT;
}

static enum flow flush(struct leg *l)
{
    enum sock_result r = conn_flush(conn_of(l));
    note_out(l);
    return flow_of(r);
}

/* Opens a chunk that covers the whole run; it stays open until the run has gone, however many
 * calls that takes. */
static bool open_chunk(struct leg *l, struct slice run)
{
    struct text t;
    if (!h1_room(l, 20, &t))
        return false;
    t.n = chunk_header(t.p, run.n);
    conn_wrote(conn_of(l), &t);
    l->h1.out.left = run.n;
    l->h1.out.open = true;
    return true;
}

/* When there is no room for two bytes they stay owed until the next call. */
static bool close_chunk(struct leg *l)
{
    struct text t;
    if (!l->h1.out.open || l->h1.out.left)
        return true;
    if (!h1_room(l, 2, &t))
        return false;
    text_lit(&t, "\r\n");
    conn_wrote(conn_of(l), &t);
    l->h1.out.open = false;
    return true;
}

static void account(struct leg *l, size_t n)
{
    if (l->h1.out.kind != BODY_UNTIL_CLOSE)
        l->h1.out.left -= n;
}

/* More than was announced: for the peer it would be the begin of the next message. */
static bool exceeds(const struct leg *l, size_t n)
{
    return n && l->h1.out.left == 0 && l->h1.out.kind <= BODY_LENGTH;
}

/* Small and there is room beside what waits: one call will take all of it. */
static bool copy_behind(struct leg *l, struct slice run)
{
    struct text t;
    u32 waiting = conn_of(l)->out ? buf_len(conn_of(l)->out) : 0;
    if (run.n + waiting > COPY_MOST || !h1_room(l, run.n, &t))
        return false;
    text_add(&t, run);
    conn_wrote(conn_of(l), &t);
    return true;
}

/* Needs no buffer, so nothing waits for one that may have been wanted for a copy. */
static enum sock_result send_from_there(struct leg *l, struct slice run, size_t *taken)
{
    enum sock_result r = conn_send(conn_of(l), run, taken);
    l->memory = conn_of(l)->awaits_memory = false;
    note_out(l);
    return r;
}

enum flow h1_put(void *self, struct slice run, size_t *taken)
{
    struct leg *l = self;
    *taken = 0;
    if (unlikely(exceeds(l, run.n)))
        return FLOW_FAULT;
    if (l->h1.out.kind == BODY_STREAMED && l->h1.out.left == 0 &&
        (!close_chunk(l) || !open_chunk(l, run)))
        return FLOW_WAIT;
    if (l->h1.out.kind != BODY_UNTIL_CLOSE && run.n > l->h1.out.left)
        run.n = l->h1.out.left;
    enum sock_result r = SOCK_OK;
    if (copy_behind(l, run)) {
        *taken = run.n;
    } else {
        r = send_from_there(l, run, taken);
    }
    account(l, *taken);
    if (l->h1.out.kind == BODY_STREAMED && r == SOCK_OK && !close_chunk(l))
        return FLOW_WAIT;
    return flow_of(r);
}

enum flow h1_put_file(void *self, const struct extent *e, size_t *taken)
{
    struct leg *l = self;
    struct extent piece = *e;
    *taken = 0;
    if (l->h1.out.kind == BODY_STREAMED)
        return FLOW_END;
    if (exceeds(l, piece.n))
        return FLOW_FAULT;
    if (l->h1.out.kind == BODY_LENGTH && piece.n > l->h1.out.left)
        piece.n = l->h1.out.left;
    enum sock_result r = conn_send_file(conn_of(l), &piece, taken);
    l->memory = conn_of(l)->awaits_memory = false;
    note_out(l);
    account(l, *taken);
    return r == SOCK_END ? FLOW_END : flow_of(r);
}

static bool write_end(struct leg *l, const struct msg *trailers)
{
    struct text t;
    size_t need = 8;
    for (u32 i = 0; trailers && i < trailers->nfields; i++)
        need += trailers->fields[i].nlen + trailers->fields[i].vlen + 4u;
    if (!h1_room(l, need, &t))
        return false;
    text_lit(&t, "0\r\n");
    if (trailers)
        h1_write_fields(&t, trailers);
    text_lit(&t, "\r\n");
    must(!t.full);
    conn_wrote(conn_of(l), &t);
    return true;
}

enum flow h1_finish(void *self, const struct msg *trailers)
{
    struct leg *l = self;
    if (unlikely(l->h1.out.kind == BODY_LENGTH && l->h1.out.left))
        return FLOW_FAULT; /* the peer waits for the rest, and would take what comes next for it */
    if (!l->h1.out.done) {
        if (l->h1.out.kind == BODY_STREAMED && (!close_chunk(l) || !write_end(l, trailers)))
            return FLOW_WAIT;
        l->h1.out.done = true;
    }
    enum flow f = flush(l);
    l->out_done = f == FLOW_OK;
    return f;
}

enum flow h1_flush(void *self)
{
    return flush(self);
}
