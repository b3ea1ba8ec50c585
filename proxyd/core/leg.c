#include "core/leg.h"

#include "base/must.h"
#include "http/h1_write.h"

/* Up to here a copy is cheaper than a second iovec and a second buffer's cache lines. */
enum { COPY_MOST = 4000 };

void leg_expect_body(struct leg *l, enum body_kind kind, u64 length)
{
    memset(&l->in, 0, sizeof l->in);
    l->in.kind = (u8)kind;
    l->in.left = length;
    bool none = kind == BODY_NONE || (kind == BODY_LENGTH && length == 0);
    l->in.phase = none ? BODY_DONE : BODY_DATA;
}

void leg_announce_body(struct leg *l, enum body_kind kind, u64 length)
{
    l->out = (struct body_out){ .left = kind == BODY_LENGTH ? length : 0, .kind = (u8)kind };
}

static enum flow broken(struct leg *l, enum fault f)
{
    l->fault = (u16)f;
    return FLOW_FAULT;
}

static enum flow read_trailers(struct leg *l)
{
    struct conn *c = l->conn;
    enum fault f = FAULT_NONE;
    if (c->in == NULL || buf_len(c->in) == 0)
        return FLOW_WAIT;
    struct slice live = buf_live(c->in);
    if (live.n >= 2 && live.p[0] == '\r' && live.p[1] == '\n') { /* no trailers: nearly always */
        c->in->from += 2;
        l->in.phase = BODY_DONE;
        return FLOW_END;
    }
    if (live.n < 2 && live.p[0] == '\r')
        return FLOW_WAIT;
    const struct head_limits *limits = &l->rules.limits;
    u32 n = l->rules.response
                ? head_scan_answer(&l->in.scan, live.p, (u32)live.n, limits, false, &f)
                : head_scan(&l->in.scan, live.p, (u32)live.n, limits, &f);
    if (f != FAULT_NONE)
        return broken(l, FAULT_bad_trailer);
    if (n == 0)
        return FLOW_WAIT;
    f = trailer_parse(l->rules.trailers, live.p, n, &l->rules.limits, l->rules.response);
    if (f != FAULT_NONE)
        return broken(l, f);
    c->in->from += n;
    l->repairs |= l->rules.trailers->repairs;
    l->in.phase = BODY_DONE;
    return FLOW_END;
}

static enum flow chunks_over(struct leg *l)
{
    if (unlikely(l->in.chunk.blanks))
        l->repairs |= repair_bit(REPAIR_chunk_blanks);
    l->in.phase = BODY_TRAILERS;
    return read_trailers(l);
}

static enum flow next_chunk(struct leg *l, struct slice *run)
{
    if (l->in.phase == BODY_TRAILERS)
        return read_trailers(l);
    struct conn *c = l->conn;
    if (c->in == NULL)
        return FLOW_WAIT;
    struct slice live = buf_live(c->in);
    size_t used = 0;
    l->in.chunk.answer = l->rules.response;
    enum chunk_result r = chunk_decode(&l->in.chunk, live.p, live.n, &used, run);
    c->in->from += (u32)used;
    switch (r) {
    case CHUNK_DATA: return FLOW_OK;
    case CHUNK_LAST: return chunks_over(l);
    case CHUNK_BAD: return broken(l, FAULT_bad_chunk);
    case CHUNK_MORE: break;
    }
    return FLOW_WAIT;
}

static enum flow leg_peek(void *self, struct slice *run)
{
    struct leg *l = self;
    if (l->in.phase == BODY_DONE)
        return FLOW_END;
    if (l->in.kind == BODY_CHUNKED)
        return next_chunk(l, run);
    if (l->conn->in == NULL || buf_len(l->conn->in) == 0)
        return FLOW_WAIT;
    *run = buf_live(l->conn->in);
    if (l->in.kind == BODY_LENGTH && run->n > l->in.left)
        run->n = l->in.left;
    return FLOW_OK;
}

static void leg_took(void *self, size_t n)
{
    struct leg *l = self;
    l->conn->in->from += (u32)n;
    l->in.total += n;
    if (l->in.kind == BODY_CHUNKED) {
        chunk_took(&l->in.chunk, n);
    } else if (l->in.kind == BODY_LENGTH) {
        l->in.left -= n;
        if (l->in.left == 0)
            l->in.phase = BODY_DONE;
    }
}

/* A failed write takes a reset away, and an end is read in its place. */
static enum flow ended(struct leg *l)
{
    const struct conn *c = l->conn;
    if (c->read_failed || c->write_failed || l->in.kind != BODY_UNTIL_CLOSE)
        return broken(l, FAULT_NONE);
    l->in.phase = BODY_DONE;
    return FLOW_OK;
}

static enum flow leg_fill(void *self)
{
    struct leg *l = self;
    if (l->conn->eof || l->conn->read_failed)
        return ended(l);
    if (!conn_readable(l->conn) || conn_fill(l->conn) == SOCK_AGAIN)
        return FLOW_WAIT;
    return FLOW_OK;
}

static const struct msg *leg_trailers(void *self)
{
    struct leg *l = self;
    return l->rules.trailers && l->rules.trailers->nfields ? l->rules.trailers : NULL;
}

const struct source_ops leg_source_ops = { leg_peek, leg_took, leg_fill, leg_trailers, NULL };

static enum flow flow_of(enum sock_result r)
{
    return r == SOCK_OK ? FLOW_OK : r == SOCK_AGAIN ? FLOW_WAIT : FLOW_FAULT;
}

/* Opens a chunk that covers the whole run; it stays open until the run has gone, however many
 * calls that takes. */
static bool open_chunk(struct leg *l, struct slice run)
{
    struct text t;
    if (!conn_room(l->conn, 20, &t))
        return false;
    t.n = chunk_header(t.p, run.n);
    conn_wrote(l->conn, &t);
    l->out.left = run.n;
    l->out.open = true;
    return true;
}

/* When there is no room for two bytes they stay owed until the next call. */
static bool close_chunk(struct leg *l)
{
    struct text t;
    if (!l->out.open || l->out.left)
        return true;
    if (!conn_room(l->conn, 2, &t))
        return false;
    text_lit(&t, "\r\n");
    conn_wrote(l->conn, &t);
    l->out.open = false;
    return true;
}

static void account(struct leg *l, size_t n)
{
    l->out.total += n;
    if (l->out.kind != BODY_UNTIL_CLOSE)
        l->out.left -= n;
}

/* Small and there is room beside what waits: one call will take all of it. */
static bool copy_behind(struct leg *l, struct slice run)
{
    struct text t;
    u32 waiting = l->conn->out ? buf_len(l->conn->out) : 0;
    if (run.n + waiting > COPY_MOST || !conn_room(l->conn, run.n, &t))
        return false;
    text_add(&t, run);
    conn_wrote(l->conn, &t);
    return true;
}

static enum flow leg_put(void *self, struct slice run, size_t *taken)
{
    struct leg *l = self;
    *taken = 0;
    if (l->out.kind == BODY_CHUNKED && l->out.left == 0 && (!close_chunk(l) || !open_chunk(l, run)))
        return FLOW_WAIT;
    if (l->out.kind != BODY_UNTIL_CLOSE && run.n > l->out.left)
        run.n = l->out.left;
    enum sock_result r = SOCK_OK;
    if (copy_behind(l, run))
        *taken = run.n;
    else
        r = conn_send(l->conn, run, taken);
    account(l, *taken);
    if (l->out.kind == BODY_CHUNKED && r == SOCK_OK && !close_chunk(l))
        return FLOW_WAIT;
    return flow_of(r);
}

static bool write_end(struct leg *l, const struct msg *trailers)
{
    struct text t;
    size_t need = 8;
    for (u32 i = 0; trailers && i < trailers->nfields; i++)
        need += trailers->fields[i].nlen + trailers->fields[i].vlen + 4u;
    if (!conn_room(l->conn, need, &t))
        return false;
    text_lit(&t, "0\r\n");
    if (trailers)
        h1_write_fields(&t, trailers);
    text_lit(&t, "\r\n");
    must(!t.full);
    conn_wrote(l->conn, &t);
    return true;
}

static enum flow leg_finish(void *self, const struct msg *trailers)
{
    struct leg *l = self;
    if (!l->out.done) {
        if (l->out.kind == BODY_CHUNKED && (!close_chunk(l) || !write_end(l, trailers)))
            return FLOW_WAIT;
        l->out.done = true;
    }
    return flow_of(conn_flush(l->conn));
}

static enum flow leg_flush(void *self)
{
    struct leg *l = self;
    return flow_of(conn_flush(l->conn));
}

const struct sink_ops leg_sink_ops = { leg_put, leg_finish, leg_flush, NULL };
